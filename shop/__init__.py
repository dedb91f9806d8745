"""What a customer does on any screen: find, compare, device page, bundle, selection."""
