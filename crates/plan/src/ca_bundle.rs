//! Whether the certificates that a service is trusted by hold for long enough that nobody has to exchange them now.

use crate::conditions::{Extra, moment};
use crate::world::CaBundleFact;

/// From so many days on it is told.
const SOON: i64 = 60;
/// From so many days on it has to be done.
const NOW: i64 = 14;

/// `Healthy` of a service that has certificates of its own.
pub(crate) fn healthy(fact: &CaBundleFact) -> Extra {
    let days = |number: i64| match number {
        1 => "1 day".to_owned(),
        more => format!("{more} days"),
    };
    let end = moment(fact.ends).0;
    let advice = "Put newer ones there: `kluis connection` prints those of a kluis service, which are in its ca.pem.";
    let (reason, what) = match fact.days_left {
        left if left > SOON => return Extra::healthy(&[]),
        left if left < 0 => (
            "CaBundleExpired",
            format!("ended on {end}, {} ago", days(-left)),
        ),
        left => (
            "CaBundleExpires",
            format!("end on {end}, in {}", days(left)),
        ),
    };
    let message = format!("The certificates in spec.caBundle {what}. {advice}");
    Extra::healthy(&[(fact.days_left <= NOW, reason, &message)])
}
