"""The Rust port on candle: thin modules over the compiled library in rust_ports/."""
