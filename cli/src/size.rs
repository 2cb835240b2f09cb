//! Sizes in bytes, as people write and read them.

/// Reads a size: a number and, perhaps, K, M, G, T, P or E for powers of 1024 (KiB and so on mean the same), or kB, MB
/// and so on for powers of 1000.
pub fn parse(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = match number.parse() {
        Ok(number) => number,
        Err(_) if digits > 0 => return Err("more than 2^64 - 1 bytes".into()),
        Err(_) => return Err("expected a number of bytes, or a number with a unit: 10G, 512M, 100GB".into()),
    };
    let factor = factor(unit)
        .ok_or("unknown unit: use K M G T P E (powers of 1024) or kB MB GB TB PB EB (powers of 1000)")?;
    number.checked_mul(factor).ok_or_else(|| "more than 2^64 - 1 bytes".into())
}

fn factor(unit: &str) -> Option<u64> {
    if matches!(unit, "" | "B") {
        return Some(1);
    }
    let power = "KMGTPE".find(unit.chars().next()?.to_ascii_uppercase())? as u32 + 1;
    match &unit[1..] {
        "" | "iB" => Some(1 << (10 * power)),
        "B" => Some(1000_u64.pow(power)),
        _ => None,
    }
}

/// The size in at most four digits: "513 bytes", "1.50 GiB", "42.0 MiB".
pub fn show(bytes: u64) -> String {
    if bytes < 1024 {
        return if bytes == 1 { "1 byte".into() } else { format!("{bytes} bytes") };
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // From here on it would be shown as 1024.
    while value >= 1023.95 && unit < 5 {
        value /= 1024.0;
        unit += 1;
    }
    let unit = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][unit];
    match value {
        ..9.995 => format!("{value:.2} {unit}"),
        ..99.95 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, size) in [
            ("0", 0),
            ("4097", 4097),
            ("4097B", 4097),
            ("1K", 1024),
            ("1k", 1024),
            ("1kB", 1000),
            ("10G", 10 << 30),
            ("10GiB", 10 << 30),
            ("10GB", 10_000_000_000),
            ("15E", 15 << 60),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse(text), Ok(size), "{text}");
        }
        for text in
            ["", "G", "-1", "+1", "1.5G", "1 G", "1X", "1KK", "1KiBs", "1é", "16E", "18446744073709551616"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown() {
        for (size, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.00 KiB"),
            (1024 * 1024 - 1, "1.00 MiB"),
            (99 * 1024 + 1000, "100 KiB"),
            (3 << 29, "1.50 GiB"),
            (42 << 20, "42.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(show(size), text);
        }
    }
}
