"""The smallest workbook a spreadsheet would open, with a sheet as given."""

from __future__ import annotations

import io
import zipfile

TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
FILES = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
    f'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{TYPES}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{TYPES}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
    '<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}
Cell = str | int | float


def workbook(*rows: list[Cell]) -> bytes:
    """Return a workbook of these rows."""
    written = "".join(
        f'<row r="{line}">{"".join(cell(f"{chr(65 + place)}{line}", value) for place, value in enumerate(row))}</row>'
        for line, row in enumerate(rows, start=1)
    )
    return workbook_of(written)


def workbook_of(sheet: str) -> bytes:
    """Return a workbook whose sheet is this XML."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in FILES.items():
            archive.writestr(name, f'<?xml version="1.0"?>{text}')
        data = f'<?xml version="1.0"?><worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData></worksheet>'
        archive.writestr("xl/worksheets/sheet1.xml", data)
    return written.getvalue()


def cell(reference: str, value: Cell) -> str:
    """Return a cell of text or of a number."""
    if isinstance(value, str):
        return f'<c r="{reference}" t="inlineStr"><is><t>{value}</t></is></c>'
    return f'<c r="{reference}"><v>{value}</v></c>'
