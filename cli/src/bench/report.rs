//! What was measured, for people and for programs.

use std::env;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

use serde_json::{Value, json};

use atrest::limit;

use super::cell::{Cell, Work};

/// Where chunks usually take so much longer than the undisturbed ones, something else is at work.
const DISTURBED: f64 = 0.05;

pub struct Report<'a> {
    aes_bits: usize,
    ghz: f64,
    cells: &'a [Cell],
}

impl<'a> Report<'a> {
    pub fn new(aes_bits: usize, ghz: f64, cells: &'a [Cell]) -> Report<'a> {
        Report { aes_bits, ghz, cells }
    }

    /// The names of these fields are fixed: programs read them.
    pub fn json(&self) -> Value {
        let backends: Vec<Value> = self
            .backends()
            .map(|cells| {
                let limit = |decrypt| limit(cells, decrypt).map(Cell::cycles);
                let calls: Vec<Value> = cells
                    .iter()
                    .filter_map(|cell| {
                        let Work::Sectors { sector_size, call } = cell.work else { return None };
                        Some(json!({
                            "direction": direction(cell),
                            "sector_size": sector_size,
                            "call_size": call,
                            "cycles_per_byte": cell.cycles(),
                            "of_limit": of_limit(cells, cell),
                            "spread": cell.spread(),
                            "chunks": cell.chunks(),
                        }))
                    })
                    .collect();
                json!({
                    "backend": cells[0].backend().name(),
                    "limit_cycles_per_byte": { "encrypt": limit(false), "decrypt": limit(true) },
                    "calls": calls,
                })
            })
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "architecture": env::consts::ARCH,
            "aes_bits": self.aes_bits,
            "core_ghz": self.ghz,
            "spread": self.spread(),
            "disturbed": self.spread() > DISTURBED,
            "backends": backends,
        })
    }

    pub fn table(&self, bars: &Bars) -> String {
        let mut table = format!(
            "AES-{}-XTS on {} at {:.2} GHz, in core cycles a byte; % and bar: of the AES\n\
             units' limit for the backend's vectors, measured in the same run.\n",
            self.aes_bits,
            env::consts::ARCH,
            self.ghz
        );
        for cells in self.backends() {
            let name = cells[0].backend().name();
            // Writing to a string does not fail.
            let _ = match (limit(cells, false), limit(cells, true)) {
                (Some(encrypt), Some(decrypt)) => writeln!(
                    table,
                    "\n{name:<22} the limit: encrypt {:.3}, decrypt {:.3}",
                    encrypt.cycles(),
                    decrypt.cycles()
                ),
                _ => writeln!(table, "\n{name:<22} no limit shown: it is not bound to AES units"),
            };
            for cell in cells {
                let Work::Sectors { sector_size, call } = cell.work else { continue };
                let _ = writeln!(table, "{}", row(cell, sector_size, call, of_limit(cells, cell), bars));
            }
        }
        let chunks = self.cells.iter().map(Cell::chunks).min().unwrap_or(0);
        let _ = writeln!(
            table,
            "\nEach number is the 10th percentile of {chunks} chunks or more.\n\
             The median takes {:.0} % more.",
            self.spread() * 100.0
        );
        if self.spread() > DISTURBED {
            table.push_str("So much more means that something ran beside, perhaps on the sibling thread.\n");
        }
        if !limit::OPTIMIZED {
            table
                .push_str("This program was built without optimisation, which makes it many times slower.\n");
        }
        table
    }

    /// The cells of each backend, which stand together.
    fn backends(&self) -> impl Iterator<Item = &'a [Cell]> {
        self.cells.chunk_by(|a, b| a.backend() == b.backend())
    }

    /// The median of the calls' spreads: a single one says little.
    fn spread(&self) -> f64 {
        let calls = self.cells.iter().filter(|cell| cell.work != Work::Limit);
        let mut spreads: Vec<f64> = calls.map(Cell::spread).collect();
        spreads.sort_by(f64::total_cmp);
        spreads[spreads.len() / 2]
    }
}

fn limit(cells: &[Cell], decrypt: bool) -> Option<&Cell> {
    cells.iter().find(|cell| cell.work == Work::Limit && cell.decrypt == decrypt)
}

/// How much of what the AES units could do is done.
fn of_limit(cells: &[Cell], cell: &Cell) -> Option<f64> {
    limit(cells, cell.decrypt).map(|limit| limit.cycles() / cell.cycles())
}

fn direction(cell: &Cell) -> &'static str {
    if cell.decrypt { "decrypt" } else { "encrypt" }
}

/// At most 80 columns, as long as a byte takes less than 10000 cycles.
fn row(cell: &Cell, sector_size: usize, call: usize, part: Option<f64>, bars: &Bars) -> String {
    // Both directions of a kind follow one another.
    let kind = match (cell.decrypt, call / sector_size) {
        (true, _) => String::new(),
        (false, 1) => format!("1 sector of {}", short(sector_size)),
        (false, sectors) => format!("{sectors} sectors of {}", short(sector_size)),
    };
    let mut row = format!("  {kind:<20} {} {:>9.3}", direction(cell), cell.cycles());
    if let Some(part) = part {
        let _ = write!(row, " {:>4.0} % {}", part * 100.0, bars.draw(part));
    }
    row
}

fn short(bytes: usize) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{} KiB", bytes >> 10) }
}

/// How to draw a part of a whole.
pub enum Bars {
    Ascii,
    Blocks,
}

impl Bars {
    const WIDTH: usize = 30;

    /// Blocks for a terminal that can show them.
    pub fn for_stdout() -> Bars {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .filter_map(env::var_os)
            .find(|value| !value.is_empty())
            .unwrap_or_default();
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        if utf8 && std::io::stdout().is_terminal() { Bars::Blocks } else { Bars::Ascii }
    }

    /// The bar, with a mark where the whole ends.
    fn draw(&self, part: f64) -> String {
        let part = part.clamp(0.0, 1.0);
        let (bar, end) = match self {
            Bars::Ascii => ("#".repeat((part * Bars::WIDTH as f64).round() as usize), '|'),
            Bars::Blocks => {
                let eighths = (part * 8.0 * Bars::WIDTH as f64).round() as usize;
                let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
                ("█".repeat(eighths / 8) + rest, '▏')
            }
        };
        format!("{bar:<width$}{end}", width = Bars::WIDTH)
    }
}

#[cfg(test)]
mod tests {
    use super::Bars;

    #[test]
    fn bars_are_drawn() {
        let shown = |part| [Bars::Ascii, Bars::Blocks].map(|bars| bars.draw(part));
        let empty = " ".repeat(Bars::WIDTH);
        for (part, shown) in [(0.0, shown(0.0)), (-1.0, shown(-1.0))] {
            assert_eq!(shown, [format!("{empty}|"), format!("{empty}▏")], "{part}");
        }
        for (part, shown) in [(1.0, shown(1.0)), (1.3, shown(1.3)), (f64::INFINITY, shown(f64::INFINITY))] {
            assert_eq!(shown, [format!("{}|", "#".repeat(30)), format!("{}▏", "█".repeat(30))], "{part}");
        }
        assert_eq!(shown(0.5), [format!("{:<30}|", "#".repeat(15)), format!("{:<30}▏", "█".repeat(15))]);
        assert_eq!(Bars::Blocks.draw(1.0 / 30.0 * 2.5).trim_end(), format!("{:<30}▏", "██▌"));
    }
}
