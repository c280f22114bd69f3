//! Builds the control plane if need be and prints where it is.

fn main() -> anyhow::Result<()> {
    println!("{}", kluis_tests::controlplane::binary()?.display());
    Ok(())
}
