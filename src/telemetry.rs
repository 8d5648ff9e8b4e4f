//! Logs and metrics, redacted by type.
