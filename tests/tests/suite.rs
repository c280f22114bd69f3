//! The suites that need real parts: one binary, so that they share one API server.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod apiserver;
