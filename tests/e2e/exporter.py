"""What services count of their requests, for a Prometheus to scrape; how many fail is up to the test."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PER_SECOND = 100.0


class Exporter:
    """Counters of some services, at an address on loopback. Each goes up on with time, until a test says otherwise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rates: dict[str, tuple[float, float]] = {}
        self._counts: dict[str, list[float]] = {}
        self._last = time.monotonic()
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = exporter._text().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: a scrape a second is no news."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def target(self) -> str:
        """Where it answers, as a target of Prometheus."""
        return f"127.0.0.1:{self._server.server_port}"

    def serves(self, service: str, *, failing: float = 0.0, idle: bool = False) -> None:
        """From now on this share of the service's requests fails; one that is idle gets none.

        A status that never was is counted nowhere, as client libraries have it.
        """
        with self._lock:
            self._grow()
            requests = 0.0 if idle else PER_SECOND
            self._rates[service] = (requests * (1 - failing), requests * failing)
            self._counts.setdefault(service, [0.0, 0.0])
            if idle:
                self._counts[service] = [max(one, 1.0) for one in self._counts[service]]

    def forgets(self, service: str) -> None:
        """From now on it has never heard of the service."""
        with self._lock:
            self._rates.pop(service, None)
            self._counts.pop(service, None)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _grow(self) -> None:
        now = time.monotonic()
        passed, self._last = now - self._last, now
        for service, rates in self._rates.items():
            self._counts[service] = [
                count + rate * passed
                for count, rate in zip(self._counts[service], rates, strict=True)
            ]

    def _text(self) -> str:
        with self._lock:
            self._grow()
            lines = [
                f'http_requests_total{{service="{service}",status="{status}"}} {count}'
                for service, counts in self._counts.items()
                for status, count in zip(("200", "503"), counts, strict=True)
                if count
            ]
        return "\n".join(["# TYPE http_requests_total counter", *lines, ""])
