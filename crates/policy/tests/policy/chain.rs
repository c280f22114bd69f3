//! Backup chains: the examples of Azure's documentation, and the law that a base outlives what needs it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kluis_policy::chain::{Kind, Link, base, kept_until};
use proptest::prelude::*;

use crate::almanac::{at, second};

fn chain(kinds: &[Kind]) -> Vec<Link> {
    kinds
        .iter()
        .map(|kind| Link {
            kind: *kind,
            until: Timestamp::UNIX_EPOCH,
        })
        .collect()
}

/// A source of ten blocks, backed up each month; A2, A3, A4 and A9 change in the first month, A5 in the second. A
/// differential carries four blocks in month two and five in month three, an incremental four and one.
#[test]
fn ten_blocks_over_three_months() {
    let changes: [&[u8]; 3] = [&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &[2, 3, 4, 9], &[5]];
    let carried = |kind| -> Vec<usize> {
        let chain = chain(&[Kind::Full, kind, kind]);
        (0..3)
            .map(|month| {
                let since = base(&chain, month).map_or(0, |base| base + 1);
                changes[since..=month]
                    .iter()
                    .copied()
                    .flatten()
                    .collect::<BTreeSet<_>>()
                    .len()
            })
            .collect()
    };
    assert_eq!(carried(Kind::Differential), [10, 4, 5]);
    assert_eq!(carried(Kind::Incremental), [10, 4, 1]);
}

/// Fulls are kept 30 days and so are logs: the full of 16 November is needed until 22 December, by the logs that were
/// made up to the next full.
#[test]
fn a_full_stays_for_the_logs_that_need_it() {
    let link = |kind, until| Link {
        kind,
        until: at(until),
    };
    let chain = [
        link(Kind::Full, "2026-12-16T00:00:00Z"),
        link(Kind::Log, "2026-12-17T00:00:00Z"),
        link(Kind::Log, "2026-12-22T00:00:00Z"),
        link(Kind::Full, "2026-12-23T00:00:00Z"),
        link(Kind::Log, "2026-12-24T00:00:00Z"),
    ];
    let until = kept_until(&chain);
    assert_eq!(until[0], at("2026-12-22T00:00:00Z"));
    assert_eq!(until[3], at("2026-12-24T00:00:00Z"));
}

#[test]
fn nothing_is_based_on_a_copy() {
    let chain = chain(&[
        Kind::Full,
        Kind::CopyOnlyFull,
        Kind::Differential,
        Kind::Log,
        Kind::CopyOnlyFull,
        Kind::Log,
    ]);
    let bases: Vec<Option<usize>> = (0..chain.len()).map(|index| base(&chain, index)).collect();
    assert_eq!(bases, [None, None, Some(0), Some(2), None, Some(3)]);
    assert_eq!(base(&chain, 99), None);
    assert_eq!(
        base(&chain[1..3], 1),
        None,
        "the full is not there, so the differential has no base"
    );
}

proptest! {
    #![proptest_config(crate::cases(2_000))]

    #[test]
    fn a_base_outlives_what_needs_it(
        links in proptest::collection::vec(
            (proptest::sample::select(vec![Kind::Full, Kind::CopyOnlyFull, Kind::Differential, Kind::Incremental, Kind::Log]), 0..1_000i64),
            0..40,
        )
    ) {
        let chain: Vec<Link> = links.into_iter().map(|(kind, until)| Link { kind, until: second(until) }).collect();
        let until = kept_until(&chain);
        // What a backup needs, followed to the end; what it is kept for is the longest of all that need it.
        let needs = |index: usize| std::iter::successors(Some(index), |at| base(&chain, *at)).collect::<Vec<_>>();
        for (index, kept) in until.iter().enumerate() {
            let dependents = (0..chain.len()).filter(|other| needs(*other).contains(&index));
            prop_assert_eq!(Some(*kept), dependents.map(|other| chain[other].until).max());
        }
    }
}
