"""Files in, frames out, and back again: everything that touches FFmpeg lives here."""
