"""What people and programs see: facts as a live table, as plain lines, as JSON, and as curves."""

from zfed.telemetry.curves import draw_curves
from zfed.telemetry.metrics_log import metrics_record
from zfed.telemetry.observer import open_observer
from zfed.telemetry.trace import Trace, open_trace, renew_trace

__all__ = ["Trace", "draw_curves", "metrics_record", "open_observer", "open_trace", "renew_trace"]
