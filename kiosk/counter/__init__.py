"""What clerks do, behind a PIN."""
