//! The WebSocket face.
