//! Nobody loses a backup by an edit: random sequences of edits, approvals that fit and approvals that don't, edits that are taken back,
//! machines that move between policies, are stopped and go on, deaths of the operator and days that pass. The operator's own
//! reconciles run on the service's own core.
//!
//! What may go when is judged here by a rule of its own, made from the documents alone: a point is kept until the day that the policy in
//! force gave it, and a policy that gives it an earlier day counts only where somebody had approved exactly that change. A case that fails
//! prints its seed and the shortest story that still fails.

mod story;
mod terms;

use story::Story;
use terms::Terms;

use crate::simulation::Dice;

/// `KLUIS_CASES` tries more of them.
const CASES: u64 = 12;
/// Seeds that once found something.
const FOUND: [u64; 1] = [31];
const MOVES: usize = 14;
pub(crate) const POLICIES: [&str; 2] = ["daily", "other"];
pub(crate) const MACHINES: [&str; 3] = ["web-1", "web-2", "db-1"];

/// Policies and machines by their places in the lists above.
#[derive(Clone, Copy, Debug)]
enum Move {
    Edit(usize, Terms),
    /// One thing of the policy as these terms have it: days, weeks, months, years, the weekday, or which of a month.
    Tweak(usize, Terms, u64),
    /// The spec says again what is in force.
    TakeBack(usize),
    Reassign(usize, usize),
    Suspend(usize, bool),
    /// The digest that the policy's status asks for, written into its spec.
    ApprovePolicy(usize),
    ApproveItem(usize),
    /// A digest of something else, or of earlier.
    Misapprove(usize),
    Days(u8),
    Die(u64),
}

fn moves(seed: u64) -> Vec<Move> {
    let mut dice = Dice(seed);
    let mut story = vec![Move::Days(9)];
    for _ in 0..MOVES {
        let mut below = |end: u64| usize::try_from(dice.below(end)).unwrap();
        let policy = below(2);
        let machine = below(3);
        let small = below(14);
        story.push(match below(16) {
            0..=1 => Move::Edit(policy, Terms::by_chance(&mut dice)),
            2..=4 => Move::Tweak(policy, Terms::by_chance(&mut dice), dice.below(6)),
            5 => Move::TakeBack(policy),
            6..=7 => Move::Reassign(machine, policy),
            8..=9 => Move::Suspend(machine, small < 7),
            10..=11 => Move::ApprovePolicy(policy),
            12 => Move::ApproveItem(machine),
            13 => Move::Misapprove(policy),
            14 => Move::Days(u8::try_from(1 + small).unwrap()),
            _ => Move::Die(1 + small as u64 / 3),
        });
        story.push(Move::Days(u8::try_from(dice.below(6)).unwrap()));
    }
    story
}

#[test]
fn no_point_goes_before_the_day_that_an_approved_policy_gave_it() {
    let mut approved = 0;
    let more = std::env::var("KLUIS_CASES").ok();
    let cases = more.and_then(|more| more.parse().ok()).unwrap_or(CASES);
    for seed in FOUND.into_iter().chain(0..cases) {
        let story = moves(seed);
        match told(seed, &story) {
            Ok(changes) => approved += changes,
            Err(_) => {
                let (story, why) = shortest(seed, story);
                panic!("seed {seed}: {why}\nby {story:#?}");
            }
        }
    }
    // A story in which nobody ever approves anything proves little.
    assert!(approved >= 15, "only {approved} losses were approved");
}

/// The story without every move that it fails without.
fn shortest(seed: u64, mut story: Vec<Move>) -> (Vec<Move>, String) {
    let mut at = 0;
    while at < story.len() {
        let mut without = story.clone();
        without.remove(at);
        match told(seed, &without) {
            Err(_) => story = without,
            Ok(_) => at += 1,
        }
    }
    let why = told(seed, &story).err().unwrap_or_default();
    (story, why)
}

/// Lives through a story: how many losses were approved and came to pass, or what was lost without.
fn told(seed: u64, story: &[Move]) -> Result<usize, String> {
    let mut told = Story::new(seed);
    for next in story {
        told.go(*next)?;
    }
    Ok(told.approved())
}
