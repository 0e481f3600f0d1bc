//! Sizes as people write them: `512 MiB`, `1.5GiB`, `200M`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no size: a whole number and a unit, such as `512MiB` or `2GiB`")]
pub struct BadSize(String);

const UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unit) = UNITS.iter().find(|(_, unit)| self.0 >= *unit).unwrap_or(&UNITS[4]);
        match self.0 / unit {
            whole if *unit == 1 || whole >= 100 => write!(f, "{whole} {name}"),
            _ => write!(f, "{:.1} {name}", self.0 as f64 / *unit as f64),
        }
    }
}

impl FromStr for Size {
    type Err = BadSize;
    fn from_str(text: &str) -> Result<Self, BadSize> {
        let bad = || BadSize(text.into());
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = match unit.trim() {
            "" => 1,
            unit => {
                UNITS
                    .iter()
                    .find(|(name, _)| *name == unit || name.replace("iB", "") == unit)
                    .ok_or_else(bad)?
                    .1
            }
        };
        let number: u64 = number.parse().map_err(|_| bad())?;
        number.checked_mul(unit).map(Self).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(read("2GiB"), Ok(2 << 30));
        assert_eq!(
            (read("200M"), read("200 MiB"), read("7")),
            (Ok(200 << 20), Ok(200 << 20), Ok(7))
        );
        assert!(
            ["", "GiB", "-1", "1.5GiB", "3 parsecs", "99999999999TiB"]
                .iter()
                .all(|text| read(text).is_err())
        );
        let shown = [7, 1536, 265 << 30].map(|bytes| Size(bytes).to_string());
        assert_eq!(shown, ["7 B", "1.5 KiB", "265 GiB"]);
    }
}
