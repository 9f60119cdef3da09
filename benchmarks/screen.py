"""A headless Chromium, spoken to as developer tools do: to take pictures of pages, and to time them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from choreographer import Browser
from PIL import Image

_PATIENCE: Final = 30.0
"""Seconds until a page must be what is waited for."""
_COLOURS: Final = 256
"""Of a stored picture: a third of the size, and no difference that a reader would see."""


class Screen:
    """One page.

    Attributes:
        requests: Addresses that the page asked for, itself included; data that it holds itself left out.
        complaints: What the console was told: warnings, errors, exceptions.
    """

    def __init__(self, tab: Any) -> None:
        self._tab = tab
        self.requests: list[str] = []
        self.complaints: list[str] = []

    async def open(self, address: str, *, width: int = 1440, height: int = 900, dark: bool = False) -> None:
        """Go there; returns at once."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self._send("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self._send("Emulation.setEmulatedMedia", {"features": [scheme]})
        await self._send("Page.navigate", {"url": address})

    async def run(self, script: str) -> Any:
        """The value of an expression on the page, awaited if it is a promise."""
        options = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = (await self._send("Runtime.evaluate", options))["result"]
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def wait_for(self, condition: str) -> float:
        """Until an expression is true.

        Returns:
            Seconds that this took.

        Raises:
            TimeoutError: If it does not become true.
        """
        began = perf_counter()
        while not await self.run(f"Boolean({condition})"):
            if perf_counter() - began > _PATIENCE:
                raise TimeoutError(f"never came true: {condition}")
            await asyncio.sleep(0.02)
        return perf_counter() - began

    async def picture(self, of: str, path: Path, *, height: int | None = None) -> None:
        """Write what an expression's element shows as a PNG, also where it lies below the window.

        Args:
            of: The element.
            path: Of the file.
            height: In pixels, from its top; by default all of it.
        """
        box = await self.run(
            f"(() => {{ const b = ({of}).getBoundingClientRect();"
            " return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height}; })()"
        )
        if height is not None:
            box["height"] = min(height, box["height"])
        options = {"format": "png", "captureBeyondViewport": True, "clip": {**box, "scale": 1}}
        answer = await self._send("Page.captureScreenshot", options)
        picture = Image.open(BytesIO(base64.b64decode(answer["result"]["data"]))).convert("RGB")
        small = picture.quantize(
            _COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE
        )
        small.save(path, optimize=True)

    async def _send(self, command: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = await self._tab.send_command(command, options)
        if "error" in answer:
            raise RuntimeError(f"{command}: {answer['error']}")
        return answer

    async def _listen(self) -> None:
        async def requested(event: dict[str, Any]) -> None:
            address = event["params"]["request"]["url"]
            if not address.startswith("data:"):
                self.requests.append(address)

        async def logged(event: dict[str, Any]) -> None:
            self.complaints.append(str(event["params"]))

        self._tab.subscribe("Network.requestWillBeSent", requested)
        for event in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self._tab.subscribe(event, logged)
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self._send(f"{domain}.enable")


@asynccontextmanager
async def chromium() -> AsyncIterator[Screen]:
    """A fresh browser with an empty page; it ends with the block."""
    async with Browser(headless=True) as browser:
        screen = Screen(await browser.create_tab("about:blank"))
        await screen._listen()
        yield screen
