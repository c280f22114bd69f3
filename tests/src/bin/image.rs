//! `make image`: packs a kluis binary as a container image, without a daemon.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use kluis_tests::image;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [binary, out] = arguments.as_slice() else {
        eprintln!("usage: image BINARY OUT-DIRECTORY");
        return ExitCode::from(2);
    };
    match image::pack(Path::new(binary), Path::new(out)) {
        Ok(packed) => {
            println!("{}", packed.archive.display());
            println!("  name    {}", packed.name);
            println!("  digest  {}", packed.digest);
            println!(
                "  size    {}.{} MiB",
                packed.size >> 20,
                ((packed.size & 0xf_ffff) * 10) >> 20
            );
            println!("  made of {}", packed.sbom.display());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("image: {why:#}");
            ExitCode::FAILURE
        }
    }
}
