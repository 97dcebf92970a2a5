"""Drawing a region over a picture with a mouse, told in the picture's own pixels."""

from __future__ import annotations

from typing import Any

LAYER = ".region-on .region-layer:not([hidden])"


def start_drawing(page: Any) -> None:
    """Press B and wait until the picture can be drawn on."""
    page.keyboard.press("b")
    page.wait_for_selector(LAYER)
    page.wait_for_function(f"document.querySelector('{LAYER} img').complete")
    # The page scrolls to the picture: where it is counts once it stands still.
    page.wait_for_function(
        """selector => {
          const top = document.querySelector(selector).getBoundingClientRect().top;
          const still = window.layerTop === top;
          window.layerTop = top;
          return still;
        }""",
        arg=LAYER,
        polling=250,
    )


def contained(box: dict, size: tuple[int, int]) -> tuple[float, float, float]:
    """Where a picture of `size` (width, height) begins in a box that contains it, and its scale."""
    scale = min(box["width"] / size[0], box["height"] / size[1])
    left = box["x"] + (box["width"] - scale * size[0]) / 2
    return left, box["y"] + (box["height"] - scale * size[1]) / 2, scale


def stroke(page: Any, seen: tuple[float, float, float], *points: tuple[float, float]) -> None:
    """Press the mouse at the first of the picture's points, draw to the others, let go."""
    left, top, scale = seen
    for number, (x, y) in enumerate(points):
        page.mouse.move(left + x * scale, top + y * scale)
        if not number:
            page.mouse.down()
    page.mouse.up()


def shown_size(page: Any) -> int:
    """The brush's diameter in the picture's pixels, as the page says."""
    return int(page.inner_text(".region-panel:not([hidden]) output").split()[0])


def painted(page: Any) -> int:
    """How many pixels of the screen show a region."""
    return page.evaluate(
        """selector => {
          const canvas = document.querySelector(selector + " canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
          return count;
        }""",
        LAYER,
    )
