//! Who asks: what an API server's audit log says of a request, and by what it names the owner of a field where a write names none.

use http::{HeaderValue, header::USER_AGENT};

/// The configuration of a client that says which program asks: `kluis-operator/0.1.0`.
#[must_use]
pub fn named(mut cluster: kube::Config, program: &str) -> kube::Config {
    let agent = format!("{program}/{}", env!("CARGO_PKG_VERSION"));
    // A program's name is a word of ours, and a word is a header's value.
    if let Ok(agent) = HeaderValue::from_str(&agent) {
        cluster.headers.retain(|(name, _)| name != USER_AGENT);
        cluster.headers.push((USER_AGENT, agent));
    }
    cluster
}
