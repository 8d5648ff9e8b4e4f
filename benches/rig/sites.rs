//! The rows that are imported: from a file of real facilities, and made up behind its end: clustered as towns are, so that
//! the index sees what it will see.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::path::Path;

use flate2::read::GzDecoder;

use super::Outcome;

/// Made-up towns.
const TOWNS: u64 = 400;
/// The categories of made-up places, roughly as often as they are.
const CATEGORIES: [&str; 5] = ["Clinic", "Clinic", "Hospital", "School", "Pharmacy"];

/// Rows, each handed out once.
pub struct Sites {
    records: Option<csv::StringRecordsIntoIter<Box<dyn Read>>>,
    made: u64,
}

impl Sites {
    /// The file that the environment names, or none.
    pub fn open() -> Outcome<Self> {
        let Ok(path) = std::env::var("HERALD_BENCH_DATA") else {
            return Ok(Self {
                records: None,
                made: 0,
            });
        };
        let file = BufReader::new(File::open(&path)?);
        let gzipped = Path::new(&path)
            .extension()
            .is_some_and(|ending| ending == "gz");
        let reader: Box<dyn Read> = if gzipped {
            Box::new(GzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let records = csv::Reader::from_reader(reader).into_records();
        Ok(Self {
            records: Some(records),
            made: 0,
        })
    }

    /// Writes the next `count` rows as a file to import. Each has a reference of its own, so that none is left out as
    /// the same as another.
    pub fn write(&mut self, path: &Path, count: usize) -> Outcome<()> {
        let mut out = csv::Writer::from_writer(BufWriter::new(File::create(path)?));
        out.write_record(["reference", "name", "category", "country", "lon", "lat"])?;
        for _ in 0..count {
            let read = match self.records.as_mut().and_then(Iterator::next) {
                Some(record) => Some(record?),
                None => None,
            };
            let reference = format!("B-{:07}", self.made);
            let row = match read {
                Some(record) => record.iter().map(ToOwned::to_owned).collect(),
                None => made_up(self.made),
            };
            self.made += 1;
            out.write_record(std::iter::once(reference).chain(row))?;
        }
        out.flush()?;
        Ok(out.into_inner()?.flush()?)
    }
}

/// The `n`th made-up place: the same in every run.
fn made_up(n: u64) -> Vec<String> {
    let town = scatter(n) % TOWNS;
    let (lon, lat) = (within(town, 43.0, 51.0), within(town + TOWNS, 13.5, 17.0));
    let near = |salt: u64| within(n.wrapping_mul(2).wrapping_add(salt), -0.08, 0.08);
    let category = usize::try_from(scatter(n ^ 0xc) % 5)
        .ok()
        .and_then(|i| CATEGORIES.get(i));
    vec![
        format!("Place {n} of town {town}"),
        category.copied().unwrap_or("Clinic").to_owned(),
        "YEM".to_owned(),
        format!("{:.6}", lon + near(0)),
        format!("{:.6}", lat + near(1)),
    ]
}

/// A number between, by the seed alone.
fn within(seed: u64, from: f64, to: f64) -> f64 {
    let share = u32::try_from(scatter(seed) >> 32).unwrap_or_default();
    from + (to - from) * f64::from(share) / f64::from(u32::MAX)
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn scatter(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
