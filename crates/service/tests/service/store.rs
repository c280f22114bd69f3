//! The state: all or nothing, and never by an older program than wrote it.

use kluis_service::store::{Row, Store, StoreError};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    vault: String,
    text: String,
}

impl Row for Note {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        self.text.clone()
    }

    fn vault(&self) -> String {
        self.vault.clone()
    }
}

fn note(vault: &str, text: &str) -> Note {
    Note {
        vault: vault.to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn what_was_committed_is_there_after_a_reopening_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let mut store = Store::open(&path).unwrap();
    store.tx(|tx| tx.put(&note("a", "kept"))).unwrap();
    let undone: Result<(), StoreError> = store.tx(|tx| {
        tx.put(&note("a", "lost"))?;
        tx.delete::<Note>("kept")?;
        Err(StoreError::Sql(rusqlite::Error::InvalidQuery))
    });
    assert!(undone.is_err());
    drop(store);
    let mut store = Store::open(&path).unwrap();
    let all = store.tx(|tx| tx.all::<Note>()).unwrap();
    assert_eq!(all, [note("a", "kept")]);
}

#[test]
fn a_state_whose_file_is_lost_under_it_is_written_anew_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let mut store = Store::open(&path).unwrap();
    store.tx(|tx| tx.put(&note("a", "before"))).unwrap();
    std::fs::remove_file(&path).unwrap();
    store.tx(|tx| tx.put(&note("a", "between"))).unwrap();
    store.put_back(&path).unwrap();
    store.tx(|tx| tx.put(&note("a", "behind"))).unwrap();
    drop(store);
    let mut store = Store::open(&path).unwrap();
    let all = store.tx(|tx| tx.all::<Note>()).unwrap();
    let kept = ["before", "behind", "between"].map(|text| note("a", text));
    assert_eq!(all, kept);
}

#[test]
fn rows_are_listed_by_vault_and_by_prefix_in_the_order_of_their_keys() {
    let mut store = Store::in_memory().unwrap();
    let found = store.tx(|tx| {
        for text in ["b%", "a", "b", "ba"] {
            tx.put(&note(if text == "a" { "one" } else { "two" }, text))?;
        }
        tx.put(&note("two", "a"))?;
        let listed = (
            tx.list::<Note>("two")?,
            tx.starting::<Note>("b")?,
            tx.starting::<Note>("b%")?,
        );
        Ok::<_, StoreError>((listed, tx.count::<Note>("one")?, tx.total::<Note>()?))
    });
    let ((two, b, exact), one, total) = found.unwrap();
    let texts = |notes: &[Note]| {
        notes
            .iter()
            .map(|note| note.text.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        texts(&two),
        ["a", "b", "b%", "ba"],
        "a put moves a row to the vault it names"
    );
    assert_eq!(texts(&b), ["b", "b%", "ba"]);
    assert_eq!(texts(&exact), ["b%"], "a prefix is no pattern");
    assert_eq!((one, total), (0, 4));
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    drop(Store::open(&path).unwrap());
    rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error}"
    );
    let version: i64 = rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    std::fs::write(
        &path,
        "this is a letter, not a database, and long enough to be looked at".repeat(40),
    )
    .unwrap();
    let error = Store::open(&path).unwrap_err().to_string();
    assert!(error.contains("state.db"), "{error}");
}
