//! Which theorems are proved: the table of backends and their schedules, the lists of jobs, and what a job is.

use std::{fmt, str::FromStr};

use crate::{
    elf::Architecture,
    fault::Outcome,
    laps::Laps,
    machine::{Processor, aarch64::processor, x86::cpuid},
    numbers::{First, Layout, Numbers, Sequence},
    standard::Direction,
    subject::{Place, Subject, Target},
};

/// Every backend and schedule of x86-64 that is proved. `soft` is not among them: its S-box is a circuit of its own, which
/// is not linear.
pub static TARGETS: [Target; 5] = [
    Target { name: "aesni", processor: Processor::X86(&cpuid::WITH_AESNI), period: 512 },
    Target { name: "vaes256:tiles", processor: Processor::X86(&cpuid::ZEN3), period: 1024 },
    Target { name: "vaes256:rows", processor: Processor::X86(&cpuid::ZEN3), period: 1024 },
    Target { name: "vaes512:tiles", processor: Processor::X86(&cpuid::ZEN4), period: 1024 },
    Target { name: "vaes512:rows", processor: Processor::X86(&cpuid::ZEN5), period: 2048 },
];

/// The same for AArch64.
pub static AARCH64: [Target; 2] = [
    Target { name: "armv8", processor: Processor::Aarch64(&processor::WITH_AES), period: 512 },
    Target { name: "armv8-eor3", processor: Processor::Aarch64(&processor::WITH_SHA3), period: 512 },
];

/// The backends and schedules of an architecture.
pub fn targets(architecture: Architecture) -> &'static [Target] {
    match architecture {
        Architecture::X86_64 => &TARGETS,
        Architecture::Aarch64 => &AARCH64,
    }
}

/// The key sizes of XTS-AES, in bits of one of its two keys.
pub const KEY_BITS: [usize; 2] = [128, 256];

/// Every path, fewer lengths: what each run of the tests proves.
pub const SLICE: [&str; 88] = [
    "refusals",
    "unit:16:800:1",
    "unit:1008:1100:3",
    "unit:4080:4112:1",
    "unit:16384:16399:15",
    "sectors:512:1:20:1:7",
    "sectors:512:33:130:97:18446744073709551600",
    "sectors:4096:1:9:1:4294967290",
    "sectors:16:1:132:3:1",
    "sectors:48:1:50:3:1",
    "sectors:48:40:40:1:18446744073709551600",
    "sectors:520:9:9:1:18446744073709551612",
    "sectors:1000:40:40:1:18446744073709551600",
    "sectors:16:256:256:1:18446744073709551500",
    "sectors:496:1:9:1:9",
    "sectors:528:1:18:2:9",
    "sectors:520:1:18:1:9",
    "sectors:520:129:129:1:9",
    "sectors:17:1:33:1:9",
    "sectors:1000:1:18:2:5",
    "sectors:1024:1:9:1:5",
    "sectors:1536:1:5:1:5",
    "sectors:8192:1:3:1:5",
    "sectors:4096:512:513:1:5",
    "pieces:512:40:0:9:512:512",
    "pieces:512:40:1:9:1000:4096",
    "pieces:4096:9:2:64:4096:1000",
    "pieces:512:140:3:18446744073709551600:512:600",
    "pieces:520:30:4:18446744073709551600:100:333",
    "pieces:16384:3:3:5:5000:7000",
    "pieces:10007:2:0:5:4000,1:9000",
    "pieces:496:30:0:5:1000:496",
    "pieces:48:20:0:5:480,7,0,41:333,0,1",
    "pieces:512:1:0:5:512:512",
    "pieces:100:1:0:5:100:100",
    "pieces:520:1:0:5:520:520",
    "pieces:4096:1:0:5:4096:4096",
    "pieces:4100:1:0:5:4100:4100",
    "pieces:17:20:0:5:17:17",
    "pieces:48:20:0:5:48:48",
    "pieces:1000:20:0:5:1000:1000",
    "pieces:529:20:0:5:529:529",
    "pieces:1552:20:0:5:1552:1552",
    "pieces:4096:9:0:5:4096:4096",
    "pieces:1000:140:0:5:64000:1000,139000",
    "sectors:73:9:9:1:9",
    "sectors:585:5:5:1:9",
    "sectors:1097:3:3:1:9",
    "sectors:513:5:129:124:9",
    "sectors:515:5:5:1:9",
    "sectors:518:5:5:1:9",
    "sectors:524:5:5:1:9",
    "sectors:530:5:5:1:9",
    "sectors:543:5:5:1:9",
    "pieces:80:20:0:5:80:80",
    "pieces:144:20:0:5:144:144",
    "pieces:208:20:0:5:208:208",
    "pieces:272:20:0:5:272:272",
    "pieces:336:20:0:5:336:336",
    "pieces:400:20:0:5:400:400",
    "pieces:464:20:0:5:464:464",
    "pieces:592:20:0:5:592:592",
    "pieces:656:20:0:5:656:656",
    "pieces:720:20:0:5:720:720",
    "pieces:784:20:0:5:784:784",
    "pieces:848:20:0:5:848:848",
    "pieces:912:20:0:5:912:912",
    "pieces:976:20:0:5:976:976",
    "pieces:513:20:0:5:513:513",
    "pieces:515:20:0:5:515:515",
    "pieces:518:20:0:5:518:518",
    "pieces:524:20:0:5:524:524",
    "numbers:16:1:0",
    "numbers:16:4:0",
    "layouts:512:3",
    "layouts:4096:1",
    "layouts:520:9",
    "layouts:512:1",
    "layouts:1096:1",
    "sequences:16:5",
    "laps:4096:16777216:0:173",
    "list:512:1:9:2",
    "list:520:9:9:1",
    "list:1096:1:1:1",
    "list:4096:1:1:1",
    "list:16:140:140:1",
    "pieces:512:9:list:0:512:512",
    "pieces:520:9:down:18446744073709551600:100:333",
];

/// The longest of the slice. It has them for one key size alone: all others tell that the code for either differs in the
/// rounds and nowhere else. The whole has them for both.
pub const LONG_OF_SLICE: [&str; 11] = [
    "numbers:16:4:0",
    "layouts:4096:1",
    "layouts:520:9",
    "laps:4096:16777216:0:173",
    "pieces:1000:140:0:5:64000:1000,139000",
    "sectors:4096:1:9:1:4294967290",
    "pieces:512:140:3:18446744073709551600:512:600",
    "sectors:16:1:132:3:1",
    "sectors:512:33:130:97:18446744073709551600",
    "layouts:1096:1",
    "sectors:520:129:129:1:9",
];

/// Beside those of SLICE: all lengths to 4200 bytes, all counts to a batch and beyond, samples of
/// what is longer, and every length to 2^20 blocks by induction.
pub const FULL: [&str; 59] = [
    "unit:16:4200:1",
    "unit:16384:16400:5",
    "unit:1048592:1048592:1",
    "unit:2097152:2097664:512",
    "laps:4096:16777216:0:1",
    "sectors:512:1:136:1:7",
    "sectors:512:144:264:8:18446744073709551600",
    "sectors:4096:1:16:1:4294967290",
    "sectors:4096:17:130:1:7",
    "sectors:16:1:300:1:1",
    "sectors:32:1:140:1:1",
    "sectors:48:1:140:1:1",
    "sectors:64:1:70:1:1",
    "sectors:240:1:40:1:1",
    "sectors:256:1:70:1:1",
    "sectors:272:1:40:1:1",
    "sectors:496:1:40:1:9",
    "sectors:528:1:40:1:9",
    "sectors:520:1:140:1:9",
    "sectors:17:1:140:1:9",
    "sectors:31:1:40:1:9",
    "sectors:73:1:140:1:9",
    "sectors:585:1:40:1:9",
    "sectors:1097:1:20:1:9",
    "sectors:500:1:40:1:9",
    "sectors:768:1:24:1:5",
    "sectors:1000:1:30:1:5",
    "sectors:1024:1:24:1:5",
    "sectors:1536:1:24:1:5",
    "sectors:2048:1:24:1:5",
    "sectors:4104:1:8:1:5",
    "sectors:4160:1:8:1:5",
    "sectors:8192:1:5:1:5",
    "sectors:65536:1:2:1:5",
    "sectors:512:4097:4097:1:5",
    "sectors:520:4100:4100:1:5",
    "pieces:512:300:3:18446744073709551600:512:600",
    "pieces:4096:70:0:5:4096:8192",
    "pieces:48:200:0:5:480,7,0,41:333",
    "numbers:512:1:0",
    "numbers:512:5:0",
    "numbers:512:2:3",
    "numbers:512:2:4",
    "sequences:512:3",
    "sequences:520:9",
    "sequences:4096:1",
    "sequences:16:140",
    "list:512:1:136:5",
    "list:16:1:140:3",
    "list:520:1:140:7",
    "list:1000:1:20:1",
    "list:4096:1:20:1",
    "list:8192:1:3:1",
    "pieces:512:140:list:0:512:600",
    "pieces:520:140:list:0:1000:333",
    "pieces:16384:3:list:0:5000:7000",
    "pieces:512:140:down:18446744073709551600:512:600",
    "pieces:520:30:down:18446744073709551600:100:333",
    "pieces:16384:3:down:500:5000:7000",
];

/// For mutants, and to look at what is left behind: every way into the kernel, in a second.
pub const SHORT: [&str; 23] = [
    "unit:16:17:1",
    "unit:31:33:1",
    "unit:60:67:7",
    "unit:129:300:19",
    "unit:512:543:31",
    "unit:1024:1047:23",
    "unit:1200:1300:100",
    "unit:4096:4099:3",
    "sectors:512:1:3:2:7",
    "sectors:512:33:33:1:7",
    "sectors:512:129:129:1:18446744073709551615",
    "sectors:4096:3:3:1:4294967294",
    "sectors:16:3:19:16:1",
    "sectors:16:70:70:1:1",
    "sectors:48:9:9:1:1",
    "sectors:496:3:3:1:1",
    "sectors:520:5:9:4:3",
    "sectors:585:3:3:1:3",
    "sectors:1000:18:18:1:3",
    "pieces:512:9:0:9:512:1024",
    "pieces:4096:3:2:64:1000:4096",
    "pieces:512:9:0:9:4096:600",
    "pieces:10007:1:4:5:4000:9000",
];

/// What is proved in one go.
#[derive(Clone, Debug)]
pub enum Job {
    /// `unit:FROM:TO:STEP`: data units of these lengths, under any tweak.
    Units { from: usize, to: usize, step: usize },
    /// `sectors:SIZE:FROM:TO:STEP:FIRST`: so many sectors of SIZE bytes, from number FIRST on.
    Sectors { size: usize, from: usize, to: usize, step: usize, first: u64 },
    /// `numbers:SIZE:COUNT:LAYOUT`: so many sectors, from any number on.
    Numbers { size: usize, count: usize, layout: Layout },
    /// `layouts:SIZE:COUNT`: so many sectors in each layout, from 0 and across carries.
    Layouts { size: usize, count: usize },
    /// `pieces:SIZE:COUNT:TWEAKS:FIRST:CUTS:CUTS`: so many sectors in pieces of these lengths (`A,B,C`, over and over), of the
    /// source and of the destination. TWEAKS: a layout, `list`, or `down`, a sequence that counts down.
    Pieces { size: usize, count: usize, numbers: Numbers, source: Vec<usize>, destination: Vec<usize> },
    /// `list:SIZE:FROM:TO:STEP`: so many sectors of SIZE bytes, each under a tweak of its own.
    List { size: usize, from: usize, to: usize, step: usize },
    /// `sequences:SIZE:COUNT`: so many sectors, under sequences of every width and byte order that count up and down, by
    /// little and by much, from where they carry and where they do not.
    Sequences { size: usize, count: usize },
    /// `laps:LEAST:MOST:FROM:STEP`: data units of P n + rest bytes, for *every* n that makes them LEAST to MOST bytes long, and
    /// each rest FROM, FROM + STEP, ... below P, which is the backend's (`laps.rs`).
    Laps { least: usize, most: usize, from: usize, step: usize },
    /// `refusals`: calls that break a rule.
    Refusals,
}

impl FromStr for Job {
    type Err = String;

    fn from_str(text: &str) -> Result<Job, String> {
        let bad = || format!("{text} is no job; they are described in src/jobs.rs");
        let fields: Vec<&str> = text.split(':').collect();
        let number = |i: usize| fields.get(i).and_then(|field| field.parse::<u64>().ok()).ok_or_else(bad);
        let size = |i: usize| Ok::<usize, String>(number(i)? as usize);
        let layout = |i: usize| Layout::of(number(i)?).ok_or_else(bad);
        let cuts = |i: usize| {
            let field: &str = fields.get(i).ok_or_else(bad)?;
            field.split(',').map(|cut| cut.parse::<usize>().map_err(|_| bad())).collect::<Result<Vec<_>, _>>()
        };
        match (fields[0], fields.len()) {
            ("unit", 4) => Ok(Job::Units { from: size(1)?, to: size(2)?, step: size(3)? }),
            ("sectors", 6) => Ok(Job::Sectors {
                size: size(1)?,
                from: size(2)?,
                to: size(3)?,
                step: size(4)?,
                first: number(5)?,
            }),
            ("numbers", 4) => Ok(Job::Numbers { size: size(1)?, count: size(2)?, layout: layout(3)? }),
            ("layouts", 3) => Ok(Job::Layouts { size: size(1)?, count: size(2)? }),
            ("pieces", 7) => {
                let first = u128::from(number(4)?);
                let numbers = match fields[3] {
                    "list" => Numbers::List,
                    "down" => Numbers::Sequence(Sequence {
                        first: first | 0x77 << 64,
                        step: (-3i128) as u128,
                        width: 64,
                        flags: crate::numbers::BIG_ENDIAN,
                    }),
                    _ => match layout(3)? {
                        Layout::Plain64 => Numbers::Plain(First::Number(first)),
                        layout if layout.is_wide() => {
                            Numbers::Layout(layout, First::Number(first | 0x77 << 64))
                        }
                        layout => Numbers::Layout(layout, First::Number(first)),
                    },
                };
                let (size, count, source, destination) = (size(1)?, size(2)?, cuts(5)?, cuts(6)?);
                Ok(Job::Pieces { size, count, numbers, source, destination })
            }
            ("list", 5) => Ok(Job::List { size: size(1)?, from: size(2)?, to: size(3)?, step: size(4)? }),
            ("sequences", 3) => Ok(Job::Sequences { size: size(1)?, count: size(2)? }),
            ("laps", 5) => Ok(Job::Laps { least: size(1)?, most: size(2)?, from: size(3)?, step: size(4)? }),
            ("refusals", 1) => Ok(Job::Refusals),
            _ => Err(bad()),
        }
    }
}

/// What is called.
#[derive(Clone, Debug)]
enum Call {
    Unit { len: usize },
    Sectors { size: usize, count: usize, numbers: Numbers },
    Pieces { size: usize, count: usize, numbers: Numbers, source: Vec<usize>, destination: Vec<usize> },
    Laps(Laps),
    Refusals,
}

impl Call {
    /// How many bytes it works on, if that is one number.
    fn bytes(&self) -> usize {
        match self {
            Call::Unit { len } => *len,
            Call::Sectors { size, count, .. } | Call::Pieces { size, count, .. } => size * count,
            Call::Laps(_) | Call::Refusals => 0,
        }
    }

    /// Of what takes long, whether encryption is apart and decryption in place (0), or the other way round (1).
    fn turn(&self) -> Option<usize> {
        match self {
            Call::Unit { len } if *len >= 1 << 20 => Some((len + len / 512) % 2),
            Call::Sectors { size, count, .. } if size * count >= 1 << 17 => Some(count % 2),
            // There are thousands of these.
            Call::Sectors {
                size,
                count,
                numbers:
                    Numbers::Plain(First::Any { value, ones, .. })
                    | Numbers::Layout(_, First::Any { value, ones, .. }),
            } if size * count >= 1 << 10 => Some((*value as usize + ones.unwrap_or(0)) % 2),
            Call::Sectors {
                size,
                count,
                numbers: Numbers::Sequence(Sequence { first, step, flags, .. }),
            } if size * count >= 1 << 10 => Some(((first ^ step ^ u128::from(*flags)) % 2) as usize),
            Call::Laps(laps) => Some(laps.rest % 2),
            _ => None,
        }
    }
}

/// A theorem: what a call computes, for all keys, tweaks and data.
#[derive(Clone, Debug)]
pub struct Theorem {
    call: Call,
    direction: Direction,
    place: Place,
    /// The last bits of the buffers' and the stack's addresses, and their order, come from this.
    skew: u64,
}

impl fmt::Display for Theorem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.direction {
            Direction::Encrypt => "encrypted",
            Direction::Decrypt => "decrypted",
        };
        match &self.call {
            Call::Unit { len } => write!(f, "a unit of {len} bytes, {way}")?,
            Call::Sectors { size, count, numbers } => {
                write!(f, "{count} sectors of {size} bytes, {numbers:x?}, {way}")?;
            }
            Call::Pieces { size, count, numbers, source, destination } => write!(
                f,
                "{count} sectors of {size} bytes, {numbers:x?}, from pieces of {source:?} to {destination:?} bytes, {way}"
            )?,
            Call::Laps(Laps { period, least, most, rest }) => write!(
                f,
                "units of {period} n + {rest} bytes, for each n that makes that {least} to {most}, {way}"
            )?,
            Call::Refusals => return write!(f, "calls that break a rule, {way}"),
        }
        f.write_str(match self.place {
            Place::Same => " in place",
            Place::Apart => " apart",
        })?;
        write!(f, ", placed by {}", self.skew % 64)
    }
}

impl Theorem {
    /// Proves it.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn prove(&self, subject: &mut Subject<'_>) -> Outcome<()> {
        let (direction, place) = (self.direction, self.place);
        match &self.call {
            Call::Unit { len } => subject.unit(*len, direction, place, self.skew),
            Call::Sectors { size, count, numbers } => {
                subject.sectors((*size, *count), numbers, direction, place, self.skew)
            }
            Call::Pieces { size, count, numbers, source, destination } => {
                subject.pieces((*size, *count), numbers, (source, destination), direction, place)
            }
            Call::Laps(laps) => subject.laps(laps, direction, place, self.skew),
            Call::Refusals => subject.refusals(direction),
        }
    }
}

/// Bytes of a call from which on rows go past the caches, or fetch ahead.
const FAR: usize = 2 << 20;

/// Numbers that some code makes beyond those that it needs.
const AHEAD: u64 = 16;

impl Job {
    fn calls(&self, target: &Target) -> Vec<Call> {
        let plain = |first: u64| Numbers::Plain(First::Number(u128::from(first)));
        match self {
            Job::Units { from, to, step } => {
                (*from..=*to).step_by(*step).map(|len| Call::Unit { len }).collect()
            }
            Job::Sectors { size, from, to, step, first } => (*from..=*to)
                .step_by(*step)
                .map(|count| Call::Sectors { size: *size, count, numbers: plain(*first) })
                .collect(),
            Job::Numbers { size, count, layout } => cases(*count as u64 * layout.step(*size), *layout)
                .into_iter()
                .map(|first| Call::Sectors {
                    size: *size,
                    count: *count,
                    // The call of its own, for the layout that has one.
                    numbers: match layout {
                        Layout::Plain64 => Numbers::Plain(first),
                        layout => Numbers::Layout(*layout, first),
                    },
                })
                .collect(),
            Job::Layouts { size, count } => {
                let size = *size;
                let firsts =
                    [0, (1 << 32) - 2, (1 << 64) - 2, (1 << 64) - *count as u128 * 8, 0x0123_4567_89ab_cdef];
                let wide = [u128::MAX - *count as u128 + 1, (7 << 64) - 1];
                (0..10)
                    .filter_map(Layout::of)
                    .flat_map(|layout| {
                        firsts.into_iter().chain(wide).map(move |first| (layout, First::Number(first), first))
                    })
                    .filter(move |(layout, _, first)| match layout {
                        // What is refused is among the refusals.
                        _ if first >> 64 != 0 && !layout.is_wide() => false,
                        _ if *first
                            > layout.most(*first) - (*count as u128 - 1) * u128::from(layout.step(size)) =>
                        {
                            false
                        }
                        // It is for multiples of 512 bytes.
                        layout => !layout.is_in_512() || size % 512 == 0,
                    })
                    .map(|(layout, first, _)| Call::Sectors {
                        size,
                        count: *count,
                        numbers: Numbers::Layout(layout, first),
                    })
                    .collect()
            }
            Job::Pieces { size, count, numbers, source, destination } => {
                vec![Call::Pieces {
                    size: *size,
                    count: *count,
                    numbers: numbers.clone(),
                    source: source.clone(),
                    destination: destination.clone(),
                }]
            }
            Job::List { size, from, to, step } => (*from..=*to)
                .step_by(*step)
                .map(|count| Call::Sectors { size: *size, count, numbers: Numbers::List })
                .collect(),
            Job::Sequences { size, count } => sequences(*size, *count)
                .into_iter()
                .map(|sequence| Call::Sectors {
                    size: *size,
                    count: *count,
                    numbers: Numbers::Sequence(sequence),
                })
                .collect(),
            Job::Laps { least, most, from, step } => (*from..target.period)
                .step_by(*step)
                .map(|rest| Call::Laps(Laps { period: target.period, least: *least, most: *most, rest }))
                .collect(),
            Job::Refusals => vec![Call::Refusals],
        }
    }

    /// Its theorems: each call in both directions, in place and apart; of what takes long, one direction in place and the
    /// other one apart, taking turns. Calls from [`FAR`] on are those of rows alone: nothing else treats them differently.
    pub fn theorems(&self, target: &Target) -> Vec<Theorem> {
        let mut theorems = Vec::new();
        for direction in [Direction::Encrypt, Direction::Decrypt] {
            for place in [Place::Apart, Place::Same] {
                if matches!(self, Job::Refusals) && place == Place::Same {
                    continue;
                }
                let turn = usize::from((direction == Direction::Encrypt) == (place == Place::Same));
                for mut call in self.calls(target) {
                    if call.bytes() >= FAR && !target.name.ends_with(":rows") {
                        continue;
                    }
                    if call.turn().is_some_and(|other| other != turn) {
                        continue;
                    }
                    let skew = match call {
                        Call::Unit { len } => len as u64 * 7,
                        Call::Laps(ref mut laps) => {
                            laps.most = longest(target, place, laps);
                            laps.rest as u64 * 7
                        }
                        Call::Sectors { count, .. } => count as u64 * 7,
                        _ => 0,
                    };
                    theorems.push(Theorem { call, direction, place, skew });
                }
            }
        }
        theorems
    }
}

/// The longest units of a theorem about laps.
fn longest(target: &Target, place: Place, laps: &Laps) -> usize {
    // Past the caches, the first line of a row is written last, so that what is left is no shorter row.
    if target.name == "vaes512:rows" && place == Place::Apart && laps.rest.is_multiple_of(512) {
        return laps.most.min((2 << 20) - 1);
    }
    match target.processor {
        Processor::X86(_) => laps.most,
        // The comparison with the longest unit asks two flags at once, of which neither is known by itself.
        Processor::Aarch64(_) => laps.most.min((1 << 24) - 1),
    }
}

/// Sequences of each width, that carry from half to half, out of the counter where that wraps, or not at all.
fn sequences(size: usize, count: usize) -> Vec<Sequence> {
    use crate::numbers::{BIG_ENDIAN, IN_512, WRAPS};
    let mut sequences = Vec::new();
    let wide: i128 = (1 << 100) | 5;
    // Its lower half by itself would be below 0.
    let large: i128 = (1 << 63) | 3;
    for width in [32, 64, 128] {
        let most = u128::MAX >> (128 - width);
        for step in [0, 1, -1, 1 << 40, large, -large, wide, -wide] {
            for first in [most / 3, 0, most, (1 << 64) - 1, (7 << 64) + 1] {
                for flags in [0, BIG_ENDIAN, WRAPS, BIG_ENDIAN | WRAPS | IN_512] {
                    let sequence = Sequence { first, step: step as u128, width, flags };
                    if sequence.is_good(size, count) {
                        sequences.push(sequence);
                    }
                }
            }
        }
    }
    sequences
}

/// All first numbers of a call that adds up to `most` to them: by their lowest bits, and where those may carry, by where
/// the carry ends.
fn cases(most: u64, layout: Layout) -> Vec<First> {
    let low = (most + AHEAD).next_power_of_two().trailing_zeros() as usize;
    let width = if layout.is_wide() { 128 } else { 64 };
    let mut cases = Vec::new();
    for value in 0..1u64 << low {
        if value + most + AHEAD < 1 << low {
            cases.push(First::Any { value, low, ones: None });
            continue;
        }
        // A number that carries out of all its bits is refused where it has no place, and is not one of these then.
        let last =
            if layout == Layout::Plain64 || value + most < 1 << low { width - low } else { width - low - 1 };
        cases.extend((0..=last).map(|ones| First::Any { value, low, ones: Some(ones) }));
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_jobs() {
        for text in SLICE.iter().chain(&FULL).chain(&SHORT) {
            let job: Job = text.parse().unwrap();
            assert!(!job.theorems(&TARGETS[4]).is_empty(), "{text}");
        }
        for text in ["", "unit", "unit:1:2", "sectors:512:1:2:3:x", "numbers:512:1:10", "refusals:1"] {
            assert!(text.parse::<Job>().is_err(), "{text}");
        }
    }

    /// Each number of 8 bits, if they were so short, is in one case, and in one alone.
    #[test]
    fn cases_cover_all_numbers() {
        let fits = |case: &First, number: u64| {
            let First::Any { value, low, ones } = *case else { return false };
            let upper = number >> low;
            number & ((1 << low) - 1) == value
                && ones.is_none_or(|ones| upper.trailing_ones() as usize == ones.min(64 - low))
        };
        let cases = cases(4, Layout::Plain64);
        for number in
            [0, 1, 14, 15, 16, 31, 47, 63, 1 << 40, (1 << 40) - 1, u64::MAX, u64::MAX - 31, u64::MAX >> 1]
        {
            assert_eq!(cases.iter().filter(|case| fits(case, number)).count(), 1, "{number:#x}");
        }
    }
}
