//! Files of recovery points over HTTP: the whole service, a real file system on the disk, bytes compared.

use std::path::Path;
use std::process::{Command, Stdio};

use kluis_service::Movers;
use kluis_service::shell::Threads;
use serde_json::{Value, json};

use crate::movers::Site;
use crate::shell::{bytes_by, bytes_of, call};

/// web-2's disk: an ext4 with a few files.
fn disk(dir: &Path) -> Vec<u8> {
    let root = dir.join("root");
    std::fs::create_dir_all(root.join("etc/nginx")).unwrap();
    std::fs::create_dir_all(root.join("usr")).unwrap();
    std::fs::write(root.join("etc/hostname"), "web-2\n").unwrap();
    for number in 0..30 {
        std::fs::write(root.join(format!("etc/nginx/{number:02}")), "x").unwrap();
    }
    let big: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(root.join("usr/big file ü"), &big).unwrap();
    std::os::unix::fs::symlink("usr/big file ü", root.join("link")).unwrap();
    let image = dir.join("web-2-os.raw");
    let file = std::fs::File::create(&image).unwrap();
    file.set_len(32 << 20).unwrap();
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    let made = Command::new("mke2fs")
        .env("PATH", path)
        .args(["-q", "-F", "-t", "ext4", "-d"])
        .args([&root, &image])
        .stdin(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    big
}

/// The path of the one recovery point, after a backup.
fn point(site: &Site<'_>) -> String {
    let job = site.back_up();
    assert_eq!(job["status"], "Completed", "{job}");
    let points = site.get(&format!("{}/recoveryPoints", site.item()));
    points["value"][0]["id"].as_str().unwrap().to_owned()
}

fn get(site: &Site<'_>, dir: &Path, target: &str) -> crate::shell::Answer {
    call(
        &site.running,
        dir,
        "GET",
        target,
        &[("Authorization", &site.token)],
        "",
    )
}

#[test]
fn files_are_listed_read_and_restored_out_of_a_recovery_point() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let big = disk(dir);
    let site = Site::start(dir, Movers::Own(Box::new(Threads)));
    site.protect();
    let base = format!("/kluis/v1{}", point(&site));

    let cloud = call(&site.running, dir, "GET", "/metadata/endpoints", &[], "");
    assert_eq!(cloud.body["kluis"]["files"], "/kluis/v1", "{}", cloud.body);

    let volumes = get(&site, dir, &format!("{base}/volumes"));
    assert_eq!(volumes.status, 200, "{}", volumes.body);
    let volume = &volumes.body["value"][0];
    assert_eq!(
        (&volume["name"], &volume["fileSystem"], &volume["default"]),
        (&json!("web-2-os"), &json!("ext4"), &json!(true))
    );

    let root = get(&site, dir, &format!("{base}/files?path=%2F"));
    let named = |name: &str| -> Value {
        let value = root.body["value"].as_array().unwrap();
        value
            .iter()
            .find(|entry| entry["name"] == name)
            .cloned()
            .unwrap()
    };
    assert_eq!(named("etc")["type"], "directory");
    assert_eq!(named("link")["target"], "usr/big file ü");

    // Page by page, by the links that the answers give.
    let mut link = format!("{base}/files?path=/etc/nginx&$top=12");
    let mut names = Vec::new();
    loop {
        let page = get(&site, dir, &link);
        assert_eq!(page.status, 200, "{}", page.body);
        let value = page.body["value"].as_array().unwrap();
        assert!(value.len() <= 12);
        names.extend(
            value
                .iter()
                .map(|entry| entry["name"].as_str().unwrap().to_owned()),
        );
        match page.body["nextLink"].as_str() {
            Some(next) => {
                link = next
                    .strip_prefix(&site.running.endpoint)
                    .unwrap()
                    .to_owned();
            }
            None => break,
        }
    }
    let expected: Vec<String> = (0..30).map(|number| format!("{number:02}")).collect();
    assert_eq!(names, expected);

    let content = format!("{base}/content?path=/link&volume=web-2-os");
    let (head, body) = bytes_of(&site.running, dir, &content, &site.token, None);
    assert!(
        head.contains("200 OK") && head.contains("application/octet-stream"),
        "{head}"
    );
    assert!(body == big);
    let range = Some("bytes=1000000-1000999");
    let (head, body) = bytes_of(&site.running, dir, &content, &site.token, range);
    assert!(
        head.contains("206 ") && head.contains("bytes 1000000-1000999/2800000"),
        "{head}"
    );
    assert_eq!(body, big[1_000_000..1_001_000]);
    let (head, _) = bytes_of(
        &site.running,
        dir,
        &content,
        &site.token,
        Some("bytes=2800000-"),
    );
    assert!(
        head.contains("416 ") && head.contains("bytes */2800000"),
        "{head}"
    );

    let refused = |target: String, status: u16, code: &str| {
        let answer = get(&site, dir, &target);
        assert_eq!(
            (answer.status, answer.body["error"]["code"].as_str()),
            (status, Some(code)),
            "{target}: {}",
            answer.body
        );
    };
    refused(format!("{base}/files?path=/no"), 404, "PathNotFound");
    refused(format!("{base}/content?path=/etc"), 400, "NotAFile");
    refused(
        format!("{base}/files?path=/&volume=x"),
        404,
        "VolumeNotFound",
    );
    refused(
        format!("{base}/files?path=/&$top=0"),
        400,
        "BMSUserErrorInvalidInput",
    );
    refused(format!("{base}/nothing"), 404, "InvalidResourceType");
    let unknown = "BMSUserErrorDataSourceObjectNotFound";
    refused(format!("{base}9/files"), 404, unknown);
    let unsigned = call(&site.running, dir, "GET", &content, &[], "");
    assert_eq!(unsigned.status, 401);

    // What the command line writes where the person is, in pieces.
    let export = json!({ "properties": { "paths": ["/etc/hostname", "/link"] } }).to_string();
    let signed = [("Authorization", site.token.as_str())];
    let target = format!("{base}/exportFiles");
    let headers = format!(
        "Authorization: {}\r\nContent-Type: application/json\r\n",
        site.token
    );
    let (head, body) = bytes_by(&site.running, dir, ("POST", &target), &headers, &export);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let body = String::from_utf8(body).unwrap();
    let lines: Vec<&str> = body.lines().collect();
    assert!(
        lines[0].starts_with(r#"{"frame":"file","name":"hostname""#),
        "{body}"
    );
    assert_eq!(lines.last(), Some(&r#"{"frame":"end"}"#), "{body}");
    let twice = json!({ "properties": { "paths": ["/etc/../etc"] } }).to_string();
    let refused = call(&site.running, dir, "POST", &target, &signed, &twice);
    assert_eq!(refused.status, 400, "{}", refused.body);

    let group = site.vault.split("/resourceGroups/").nth(1).unwrap();
    let group = group.split('/').next().unwrap();
    let begun = call(
        &site.running,
        dir,
        "POST",
        &format!("{base}/restoreFiles?api-version=2024-04-01"),
        &[("Authorization", &site.token)],
        &json!({ "properties": { "paths": ["/etc", "/link"], "targetResourceGroup": group, "name": "wanted" } }).to_string(),
    );
    assert_eq!(begun.status, 202, "{}", begun.body);
    let done = crate::shell::follow(&site.running, dir, &site.token, &begun);
    let job = site.end_of(done["properties"]["jobId"].as_str().unwrap());
    assert_eq!(job["status"], "Completed", "{job}");
    let wanted = dir.join("restored/shop-rg/wanted");
    let same = Command::new("diff")
        .args(["-r", "--no-dereference"])
        .args([dir.join("root/etc"), wanted.join("etc")])
        .status();
    assert!(same.unwrap().success());
    assert_eq!(
        std::fs::read_link(wanted.join("link")).unwrap(),
        Path::new("usr/big file ü")
    );
    site.running.shutdown().unwrap();
}

#[test]
fn a_file_that_is_damaged_on_its_volume_is_a_warning_of_its_restore() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    disk(dir);
    // No reader of ext4 finds a file's blocks by a root of its extents like this.
    damage(&dir.join("web-2-os.raw"), "/etc/nginx/07");
    let site = Site::start(dir, Movers::Own(Box::new(Threads)));
    site.protect();
    let base = format!("/kluis/v1{}", point(&site));
    let body = json!({ "properties": { "paths": ["/etc"], "targetResourceGroup": "shop-rg", "name": "damaged" } });
    let begun = call(
        &site.running,
        dir,
        "POST",
        &format!("{base}/restoreFiles?api-version=2024-04-01"),
        &[("Authorization", &site.token)],
        &body.to_string(),
    );
    assert_eq!(begun.status, 202, "{}", begun.body);
    let done = crate::shell::follow(&site.running, dir, &site.token, &begun);
    let job = site.end_of(done["properties"]["jobId"].as_str().unwrap());
    assert_eq!(job["status"], "CompletedWithWarnings", "{job}");
    let fault = &job["errorDetails"][0];
    assert_eq!(fault["errorTitle"], "UserErrorFilesLeftOut", "{job}");
    let said = fault["errorString"].as_str().unwrap();
    assert!(said.contains("/etc/nginx/07 was left out"), "{said}");
    let there = std::fs::read_dir(dir.join("restored/shop-rg/damaged/etc/nginx"));
    assert_eq!(there.unwrap().count(), 29);
    site.running.shutdown().unwrap();
}

fn damage(image: &Path, file: &str) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    let done = Command::new("debugfs")
        .env("PATH", path)
        .args(["-w", "-R", &format!("set_inode_field {file} block[0] 7")])
        .arg(image)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(done.unwrap().success());
}

#[test]
fn a_reader_sees_names_and_not_content() {
    let mut world = crate::world::World::with_vault();
    world.role = kluis_service::core::Role::Reader;
    let point = format!(
        "/kluis/v1{}/backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;shop-rg;web-2/protectedItems/VM;iaasvmcontainerv2;shop-rg;web-2/recoveryPoints/1",
        crate::world::VAULT
    );
    let code = |world: &mut crate::world::World, verb: &str| {
        let request = world.request("GET", &format!("{point}/{verb}"), Vec::new());
        world.extension(&request).unwrap_err().code
    };
    assert_eq!(code(&mut world, "content"), "AuthorizationFailed");
    let export = world.request("POST", &format!("{point}/exportFiles"), Vec::new());
    assert_eq!(
        world.extension(&export).unwrap_err().code,
        "AuthorizationFailed"
    );
    assert_ne!(code(&mut world, "files"), "AuthorizationFailed");
    assert_ne!(code(&mut world, "volumes"), "AuthorizationFailed");
}
