//! `kluis ls`: a folder of a recovery point, without mounting anything.

use std::io::Write;

use anyhow::Result;

use super::extension::{Browser, Entry};
use super::paths;
use super::points::reach_point;
use crate::args::LsArgs;
use crate::output::{self, Format};

/// Prints the volumes, or what a folder holds.
pub(crate) async fn ls(args: &LsArgs, out: &mut impl Write) -> Result<()> {
    let (arm, point) = reach_point(&args.point, &args.connection).await?;
    let browser = Browser::of(&arm, &point).await?;
    let Some(path) = &args.path else {
        let volumes = browser.volumes().await?;
        if args.output != Format::Table {
            return output::value(&volumes, args.output, out);
        }
        let rows: Vec<Vec<String>> = volumes
            .into_iter()
            .map(|volume| {
                vec![
                    volume.name,
                    volume.file_system.unwrap_or_default(),
                    volume.size.map_or_else(String::new, output::bytes),
                    volume.label.unwrap_or_default(),
                ]
            })
            .collect();
        return output::table(&["VOLUME", "FILE SYSTEM", "SIZE", "LABEL"], &rows, out);
    };
    let path = &paths::text(path);
    let entries = browser.entries(args.volume.as_deref(), path).await?;
    if args.output != Format::Table {
        return output::value(&entries, args.output, out);
    }
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    output::table(&["MODE", "OWNER", "SIZE", "MODIFIED", "NAME"], &rows, out)
}

fn row(entry: &Entry) -> Vec<String> {
    let owner = match (entry.uid, entry.gid) {
        (Some(uid), Some(gid)) => format!("{uid}:{gid}"),
        _ => String::new(),
    };
    let name = match (entry.kind.as_str(), &entry.target, &entry.problem) {
        ("directory", ..) => format!("{}/", entry.name),
        (_, Some(target), _) => format!("{} -> {target}", entry.name),
        (.., Some(problem)) => format!("{} ({})", entry.name, problem.message),
        _ => entry.name.clone(),
    };
    let size = if entry.kind == "file" {
        output::bytes(entry.size)
    } else {
        String::new()
    };
    vec![
        entry
            .mode
            .map_or_else(String::new, |mode| permissions(&entry.kind, mode)),
        owner,
        size,
        entry.modified.clone().unwrap_or_default(),
        name,
    ]
}

/// `drwxr-xr-x`.
fn permissions(kind: &str, mode: u32) -> String {
    let mut text = String::from(match kind {
        "directory" => "d",
        "symlink" => "l",
        "file" => "-",
        _ => "?",
    });
    for shift in [6, 3, 0] {
        let bits = mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(if bits & 1 == 0 { '-' } else { 'x' });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::permissions;

    #[test]
    fn permissions_are_as_ls_writes_them() {
        assert_eq!(permissions("directory", 0o40755), "drwxr-xr-x");
        assert_eq!(permissions("file", 0o640), "-rw-r-----");
    }
}
