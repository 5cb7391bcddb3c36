//! Samples, and the table that they end in.

use std::fmt;

use serde_json::{Value, json};

/// Rows of one kind; the first one is what the others are compared with.
#[derive(Debug)]
pub struct Table {
    title: String,
    unit: &'static str,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    samples: Vec<f64>,
    /// Why there are fewer samples than there should be.
    trouble: Option<String>,
}

impl Table {
    /// An empty one.
    pub fn new(title: impl Into<String>, unit: &'static str) -> Self {
        Self { title: title.into(), unit, rows: Vec::new() }
    }

    /// Adds one sample to the row of this name, which is made where it is missing.
    pub fn add(&mut self, name: &str, sample: f64) {
        self.row(name).samples.push(sample);
    }

    /// Adds a sample, or tells in the row why there is none.
    pub fn add_result(&mut self, name: &str, sample: anyhow::Result<f64>) {
        match sample {
            Ok(sample) => self.add(name, sample),
            Err(error) => self.row(name).trouble = Some(format!("{error:#}")),
        }
    }

    /// True when the row of this name has not got all its samples.
    pub fn lacks(&self, name: &str) -> bool {
        self.rows.iter().any(|row| row.name == name && row.trouble.is_some())
    }

    fn row(&mut self, name: &str) -> &mut Row {
        let at = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { name: name.into(), samples: Vec::new(), trouble: None });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    fn ratio(&self, row: &Row) -> Option<f64> {
        let first = self.rows.first()?;
        if quantile(&first.samples, 0.5)? == 0.0 {
            return None;
        }
        if first.samples.len() != row.samples.len() {
            return Some(quantile(&row.samples, 0.5)? / quantile(&first.samples, 0.5)?);
        }
        let pairs = row.samples.iter().zip(&first.samples);
        quantile(&pairs.map(|(one, other)| one / other).collect::<Vec<_>>(), 0.5)
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "name": row.name,
                "samples": row.samples.len(),
                "median": quantile(&row.samples, 0.5),
                "p95": quantile(&row.samples, 0.95),
                "p99": quantile(&row.samples, 0.99),
                "ratio": self.ratio(row),
                "trouble": row.trouble,
            })
        });
        json!({ "title": self.title, "unit": self.unit, "rows": rows.collect::<Vec<_>>() })
    }
}

/// Linear between neighbours; none of no samples.
fn quantile(samples: &[f64], at: f64) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = at * (sorted.len().checked_sub(1)?) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.title)?;
        writeln!(
            f,
            "  {:<52} {:>4} {:>11} {:>11} {:>11} {:>8}",
            self.unit, "n", "median", "p95", "p99", "× first"
        )?;
        for row in &self.rows {
            let shown =
                |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
            let [median, p95, p99] = [0.5, 0.95, 0.99].map(|at| shown(quantile(&row.samples, at)));
            let ratio = shown(self.ratio(row));
            let (name, n) = (&row.name, row.samples.len());
            writeln!(f, "  {name:<52} {n:>4} {median:>11} {p95:>11} {p99:>11} {ratio:>8}")?;
            if let Some(trouble) = &row.trouble {
                writeln!(f, "    {trouble}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_of_rows_of_one_length_is_paired() {
        let mut table = Table::new("t", "ms");
        for (first, second) in [(1.0, 2.0), (10.0, 30.0), (100.0, 400.0)] {
            table.add("a", first);
            table.add("b", second);
        }
        assert_eq!(table.ratio(&table.rows[1]), Some(3.0));
    }

    #[test]
    fn a_row_without_samples_tells_why() {
        let mut table = Table::new("t", "ms");
        table.add_result("a", Err(anyhow::anyhow!("not installed")));
        assert!(table.to_string().contains("not installed"));
        assert!(table.lacks("a") && !table.lacks("b"));
        assert_eq!(table.ratio(&table.rows[0]), None);
    }

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[0.0, 10.0], 0.95), Some(9.5));
    }
}
