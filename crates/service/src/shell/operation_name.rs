//! What a request does, in the words of Azure's roles and activity log: `Microsoft.RecoveryServices/vaults/write`.

use http::Method;

/// The name of a request's operation: the provider, the resource types of its path, and what is done to them. No name of a
/// resource is in it. A path of no provider tells its first segments' types: `subscriptions/resourceGroups/read`.
pub(super) fn operation_name(method: &Method, path: &str) -> String {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let provider = segments
        .iter()
        .rposition(|segment| segment.eq_ignore_ascii_case("providers"));
    let (head, types) = match provider.and_then(|at| segments.get(at + 1..)) {
        Some([provider, below @ ..]) => (Some(*provider), below),
        _ => (None, &segments[..]),
    };
    let acts = *method == Method::POST;
    // Types and names take turns; a POST ends with what is to be done, in a type's place.
    let types = types.iter().step_by(2).copied().take(8);
    let mut words: Vec<&str> = head.into_iter().chain(types).collect();
    words.push(match *method {
        Method::GET | Method::HEAD => "read",
        Method::PUT | Method::PATCH => "write",
        Method::DELETE => "delete",
        _ if acts => "action",
        _ => "other",
    });
    let name: String = words.join("/");
    name.chars().take(256).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_has_azures_name() {
        let vault =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.RecoveryServices/vaults/v";
        for (method, below, name) in [
            (Method::PUT, "", "vaults/write"),
            (Method::DELETE, "", "vaults/delete"),
            (Method::GET, "/backupJobs/1", "vaults/backupJobs/read"),
            (
                Method::POST,
                "/backupFabrics/Azure/protectionContainers/c/protectedItems/i/backup",
                "vaults/backupFabrics/protectionContainers/protectedItems/backup/action",
            ),
        ] {
            let expected = format!("Microsoft.RecoveryServices/{name}");
            assert_eq!(
                operation_name(&method, &format!("{vault}{below}")),
                expected
            );
        }
        let group = "/subscriptions/s/resourceGroups/g";
        assert_eq!(
            operation_name(&Method::GET, group),
            "subscriptions/resourceGroups/read"
        );
        assert_eq!(operation_name(&Method::TRACE, "/"), "/other");
    }
}
