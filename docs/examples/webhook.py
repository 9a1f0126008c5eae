"""Tells a web service of every complete study: a POST of JSON, signed.

plugins:
  webhook:
    use: webhook.py:Webhook
    options: {url: https://ai.example/studies, secret: !file webhook.key}

routes:
  - name: ai
    chain: [webhook]
    to: [ai]
    study_quiet: 2 min

The service is told until it answers 2xx, so it may be told twice. There are no names in what it is
told, UIDs are those that leave, and `X-Signature` is the HMAC-SHA256 of the body.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections import Counter

from router import Hold, Study, hookimpl


class Webhook:
    def __init__(self, url: str, secret: str = "", retry_after: float = 60.0) -> None:
        if not url.startswith(("https://", "http://")):
            raise ValueError("url has to begin with https:// or http://")
        self._url = url
        self._secret = secret.encode()
        self._retry_after = retry_after

    @hookimpl
    def study_complete(self, study: Study) -> None:
        series = Counter(instance.series_instance_uid for instance in study.instances)
        told = {
            "study_instance_uid": study.study_instance_uid,
            "route": study.route,
            "late": study.late,
            "instances": sum(series.values()),
            "series": series,
        }
        body = json.dumps(told).encode()
        headers = {"Content-Type": "application/json"}
        if self._secret:
            signature = hmac.new(self._secret, body, hashlib.sha256)
            headers["X-Signature"] = signature.hexdigest()
        request = urllib.request.Request(self._url, body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30):
                return
        except urllib.error.HTTPError as error:
            reason = f"the web service answered {error.code}"
        except OSError as error:
            reason = f"the web service cannot be reached ({type(error).__name__})"
        raise Hold(reason, self._retry_after)
