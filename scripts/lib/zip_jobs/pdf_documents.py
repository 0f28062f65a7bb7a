# mypy: disable-error-code="import-untyped"
"""Sample documents: invoices, reports and scanned letters, each determined by a seed and its number."""

import io
from collections.abc import Iterator, Sequence
from random import Random

from PIL import Image
from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Table, TableStyle

# Streams as plain binary: the default, ASCII, is a quarter larger and far slower.
rl_config.useA85 = 0

_WIDTH, _HEIGHT = A4
_MARGIN = 22 * mm
_LINE = 5 * mm
_COMPANIES = ("Alder & Sons", "Brightwater Mills", "Copperfield Ltd", "Dunes Logistics", "Eastgate Foods", "Fjord Labs")
_GOODS = ("Valve, 2 inch", "Copper pipe, 3 m", "Service visit", "Filter cartridge", "Pump seal", "Flow meter", "Gasket")
_SUBJECTS = ("Water quality", "Plant output", "Energy use", "Safety audit", "Stock count", "Delivery times")
_TEXT = (
    "the station measured a steady flow while pressure in the lower basin rose slightly during spring and the crew "
    "replaced two worn gates before summer demand reached its usual peak so the reserve stayed above target all year"
)
_WORDS = _TEXT.split()
_GRID = TableStyle(
    [
        ("GRID", (0, 0), (-1, -1), 0.4, colors.grey),
        ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#dbe7f0")),
        ("FONTSIZE", (0, 0), (-1, -1), 9),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
    ]
)


def name_document(number: int) -> str:
    """Return the file name of a document; the kinds alternate by number."""
    return f"{_KINDS[number % len(_KINDS)][0]}-{number:05d}.pdf"


def draw_document(seed: int, number: int) -> bytes:
    """Return a PDF of one to five pages, about 2 KB to 300 KB; the same arguments give the same bytes."""
    random = Random(f"{seed}/{number}")  # noqa: S311  # sample data, not secrets
    buffer = io.BytesIO()
    # `invariant` leaves out the date and the random document id.
    canvas = Canvas(buffer, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setAuthor("Sluice sample data")
    canvas.setTitle(name_document(number))
    _KINDS[number % len(_KINDS)][1](canvas, random, number)
    canvas.save()
    return buffer.getvalue()


def _draw_invoice(canvas: Canvas, random: Random, number: int) -> None:
    company = random.choice(_COMPANIES)
    for page in range(1, random.choice((1, 1, 1, 2)) + 1):
        _draw_heading(canvas, f"Invoice {number:05d}", f"{company}, page {page}")
        rows = [("Item", "Quantity", "Price", "Sum")]
        total = 0
        for good in random.sample(_GOODS, random.randint(2, len(_GOODS))):
            quantity, cents = random.randint(1, 40), random.randint(150, 90_000)
            total += quantity * cents
            rows.append((good, str(quantity), _money(cents), _money(quantity * cents)))
        rows.append(("Total", "", "", _money(total)))
        _draw_table(canvas, rows, _HEIGHT - 60 * mm)
        canvas.drawString(_MARGIN, 40 * mm, "Payable within 30 days without deduction.")
        canvas.showPage()


def _draw_report(canvas: Canvas, random: Random, number: int) -> None:
    subject = random.choice(_SUBJECTS)
    for page in range(1, random.randint(1, 5) + 1):
        _draw_heading(canvas, f"{subject}, report {number}", f"Section {page}")
        bottom = _draw_text(canvas, _write_lines(random, random.randint(8, 26)), _HEIGHT - 55 * mm)
        months = [("Month", "Planned", "Actual")]
        months += [
            (f"{month:02d}", str(random.randint(50, 400)), str(random.randint(50, 400))) for month in range(1, 7)
        ]
        _draw_table(canvas, months, bottom - 6 * mm)
        if random.random() < 1 / 3:
            _draw_bitmap(canvas, random, random.randint(30, 120))
        canvas.showPage()


def _draw_scan(canvas: Canvas, random: Random, number: int) -> None:
    _draw_heading(canvas, f"Letter {number}", random.choice(_COMPANIES))
    _draw_text(canvas, _write_lines(random, 10), _HEIGHT - 55 * mm)
    _draw_bitmap(canvas, random, random.randint(90, 310))
    canvas.showPage()


def _draw_heading(canvas: Canvas, title: str, below: str) -> None:
    canvas.setFont("Helvetica-Bold", 18)
    canvas.drawString(_MARGIN, _HEIGHT - 30 * mm, title)
    canvas.setFont("Helvetica", 10)
    canvas.drawString(_MARGIN, _HEIGHT - 38 * mm, below)
    canvas.line(_MARGIN, _HEIGHT - 41 * mm, _WIDTH - _MARGIN, _HEIGHT - 41 * mm)


def _draw_text(canvas: Canvas, lines: Iterator[str], top: float) -> float:
    """Draw lines from ``top`` downwards; return the end position in points from the page's bottom."""
    for line in lines:
        canvas.drawString(_MARGIN, top, line)
        top -= _LINE
    return top


def _draw_table(canvas: Canvas, rows: Sequence[tuple[str, ...]], top: float) -> None:
    table = Table(rows, colWidths=[60 * mm, *[32 * mm] * (len(rows[0]) - 1)], style=_GRID)
    _, height = table.wrapOn(canvas, _WIDTH - 2 * _MARGIN, _HEIGHT)
    table.drawOn(canvas, _MARGIN, top - height)


def _draw_bitmap(canvas: Canvas, random: Random, side: int) -> None:
    """Draw a noisy square of ``side`` pixels; noise does not compress, so it sets the file's size."""
    bitmap = Image.frombytes("RGB", (side, side), random.randbytes(side * side * 3))
    canvas.drawImage(ImageReader(bitmap), _MARGIN, 30 * mm, 70 * mm, 70 * mm)


def _write_lines(random: Random, count: int) -> Iterator[str]:
    for _ in range(count):
        yield " ".join(random.choices(_WORDS, k=13)).capitalize() + "."


def _money(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02d}"


_KINDS = (("invoice", _draw_invoice), ("report", _draw_report), ("invoice", _draw_invoice), ("scan", _draw_scan))
