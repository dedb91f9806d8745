"""Who the marketplace is on its invoices in tests."""

from __future__ import annotations

from marketplace.money.identity import read_identity

US = read_identity(
    name="Comptoir SAS",
    address="1 rue Kervégan\n44000 Nantes",
    siret="732 829 320 00074",
    vat_number="FR 44 732829320",
    register="SAS au capital de 10 000 € · RCS Nantes 732 829 320",
)
