//! The service's clock, and the signatures that it takes for too old or too new. Signatures themselves are not checked.

use std::time::{SystemTime, UNIX_EPOCH};

use super::state::{Refusal, refuse};

/// How far a signature's time may be from the service's, in seconds, either way.
const MOST: i64 = 300;

/// Seconds since 1970-01-01T00:00:00Z.
pub fn now(ahead: i64) -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 + ahead
}

/// Whether `signed`, an `X-Amz-Date` as in `20261125T213132Z`, is near the time that it is here. Requests of the tests
/// themselves have none.
pub fn check(signed: Option<&String>, now: i64) -> Result<(), Refusal> {
    let Some(signed) = signed else { return Ok(()) };
    let number = |range: std::ops::Range<usize>| signed[range].parse::<i64>().unwrap();
    let days = days(number(0..4), number(4..6), number(6..8));
    let then = days * 86_400 + number(9..11) * 3600 + number(11..13) * 60 + number(13..15);
    if (then - now).abs() <= MOST {
        return Ok(());
    }
    let what = if then < now { "Signature expired" } else { "Signature not yet current" };
    Err(refuse("InvalidSignatureException", format!("{what}: {signed}")))
}

/// As in the header `Date`: `Wed, 25 Nov 2026 21:31:32 GMT`.
pub fn http_date(seconds: i64) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const WEEKDAYS: &str = "ThuFriSatSunMonTueWed";
    let (day, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let date = atrest::keys::utc_date(seconds as u64);
    let month: usize = date[5..7].parse().unwrap();
    let weekday = day.rem_euclid(7) as usize;
    format!(
        "{}, {} {} {} {:02}:{:02}:{:02} GMT",
        &WEEKDAYS[weekday * 3..][..3],
        &date[8..10],
        &MONTHS[(month - 1) * 3..][..3],
        &date[..4],
        time / 3600,
        time / 60 % 60,
        time % 60
    )
}

/// Days since 1970-01-01.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}
