//! What a comparison came to, for a person and for a program.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use comfy_table::{Table, presets};
use landfall_core::Pipeline;
use landfall_snowflake::ddl;
use serde::Serialize;

use super::compare::{Compared, Held, Missing, Named, Store};
use super::publish::Backlog;
use super::stored::Read;
use crate::at_hand::DEFAULT_DIR;
use crate::console::{program, shell_word};
use crate::objects::Place;
use crate::window::Window;

/// How many of each kind a person is shown.
const N_SHOWN: usize = 5;

/// What a comparison came to. With `--json` it is printed as it stands here.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether every document is where it has to be.
    pub(super) agrees: bool,
    since: Option<String>,
    until: Option<String>,
    /// Documents that anything holds, a dead letter included.
    documents: usize,
    /// `None` where a place was left out.
    landing: Option<StoreReport>,
    streaming: Option<StoreReport>,
    microbatch: Option<StoreReport>,
    dead_letters: DeadLettersReport,
    /// Documents with more than one row in the streaming table.
    doubled: NamedReport,
    /// Objects of the landing zone and of the dead letters.
    objects_read: usize,
    /// Objects of which it is not known what they hold.
    unreadable: Vec<String>,
    /// What Snowpipe could not load, where the micro-batch table lacks something.
    pub(super) load_errors: Vec<String>,
    /// What could not be found out.
    pub(super) notes: Vec<String>,
    /// Where landing zone and micro-batch table were compared.
    #[serde(skip)]
    pub(super) backlog: Option<Backlog>,
    #[serde(skip)]
    window: Window,
    #[serde(skip)]
    names: Names,
}

#[derive(Debug, Serialize)]
struct StoreReport {
    name: String,
    documents: usize,
    rows: u64,
    missing: NamedReport,
    /// How many of what is missing is in the landing zone.
    missing_but_landed: usize,
    /// When the first of that arrived.
    missing_but_landed_since: Option<String>,
}

/// Each document counts once, however many letters it has.
#[derive(Debug, Serialize)]
struct DeadLettersReport {
    poison: usize,
    refused_by_the_warehouse: usize,
    sent_again_since: usize,
}

#[derive(Debug, Serialize)]
struct NamedReport {
    documents: usize,
    /// The first hundred.
    positions: Vec<String>,
}

/// What places are called, and what mends them.
#[derive(Debug, Default)]
pub(super) struct Names {
    stores: BTreeMap<Store, String>,
    replay_landing: String,
    replay_dead_letters: String,
    refresh_pipe: String,
}

/// Whose places they are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'a> {
    /// The local stack's of a folder.
    Stack(&'a Path),
    /// A real account's.
    Account,
}

impl Owner<'_> {
    /// What replay is told to send to one of its functions, whose name on an account is not known here.
    fn options(self, function: &str) -> String {
        match self {
            Self::Stack(dir) if dir == Path::new(DEFAULT_DIR) => String::new(),
            Self::Stack(dir) => format!(" --dir {}", shell_word(dir)),
            Self::Account => format!(" --function-name <your {function} function>"),
        }
    }
}

impl Names {
    pub(super) fn new(
        pipeline: &Pipeline,
        (landing, dead_letters): (&Place, &Place),
        window: Window,
        (owner, pipeline_file): (Owner<'_>, Option<&Path>),
    ) -> Self {
        let target = &pipeline.snowflake;
        let bounds = [("since", window.since), ("until", window.until)];
        let bounds = bounds.into_iter().filter_map(|(name, at)| {
            // As one word.
            Some(format!(" --{name} {}Z", at?.to_string().replacen(' ', "T", 1)))
        });
        let bounds: String = bounds.collect();
        let file = pipeline_file.map(|file| format!(" --pipeline {}", shell_word(file))).unwrap_or_default();
        let replay = |what: &str, place: &Place, function: &str| {
            let (place, options) = (shell_word(Path::new(&place.name())), owner.options(function));
            format!("{} replay --{what} {place}{bounds}{file}{options}", program())
        };
        Self {
            stores: BTreeMap::from([
                (Store::Landing, "landing zone".to_owned()),
                (Store::Streaming, target.streaming_table.clone()),
                (Store::Microbatch, target.microbatch_table.clone()),
            ]),
            replay_landing: replay("landing", landing, "upsert"),
            replay_dead_letters: replay("dead-letters", dead_letters, "orchestrator"),
            refresh_pipe: ddl::refresh_pipe(pipeline),
        }
    }

    fn of(&self, store: Store) -> String {
        self.stores.get(&store).cloned().unwrap_or_default()
    }
}

impl From<&Named> for NamedReport {
    fn from(named: &Named) -> Self {
        Self { documents: named.n, positions: named.first().map(ToString::to_string).collect() }
    }
}

impl Report {
    pub(super) fn new(window: Window, compared: &Compared, read: Read, names: Names) -> Self {
        let store = |store: Store| {
            let Held { n_documents, n_rows } = compared.stores.get(&store)?;
            let nothing = Missing::default();
            let missing = compared.missing.get(&store).unwrap_or(&nothing);
            Some(StoreReport {
                name: names.of(store),
                documents: *n_documents,
                rows: *n_rows,
                missing: (&missing.documents).into(),
                missing_but_landed: missing.n_landed,
                missing_but_landed_since: missing.first_landed.map(|at| at.to_string()),
            })
        };
        let letters = &compared.dead_letters;
        Self {
            agrees: compared.missing.is_empty() && compared.doubled.n == 0 && read.unreadable.is_empty(),
            since: window.since.map(|at| at.to_string()),
            until: window.until.map(|at| at.to_string()),
            documents: compared.n_documents,
            landing: store(Store::Landing),
            streaming: store(Store::Streaming),
            microbatch: store(Store::Microbatch),
            dead_letters: DeadLettersReport {
                poison: letters.n_poison,
                refused_by_the_warehouse: letters.n_refused,
                sent_again_since: letters.n_taken,
            },
            doubled: (&compared.doubled).into(),
            objects_read: read.n_objects,
            unreadable: read.unreadable,
            load_errors: Vec::new(),
            notes: Vec::new(),
            backlog: Backlog::of(compared),
            window,
            names,
        }
    }

    /// Whether a store lacks something.
    pub(super) fn lacks(&self, store: Store) -> bool {
        self.store(store).is_some_and(|report| report.missing.documents > 0)
    }

    fn store(&self, store: Store) -> Option<&StoreReport> {
        match store {
            Store::Landing => self.landing.as_ref(),
            Store::Streaming => self.streaming.as_ref(),
            Store::Microbatch => self.microbatch.as_ref(),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let mut row = |name: &str, value: String| {
            table.add_row([name, &value]);
        };
        row("arrived", self.window.to_string());
        for store in Store::ALL {
            let Some(report) = self.store(store) else {
                row(&self.names.of(store), "left out".to_owned());
                continue;
            };
            let view = match store {
                Store::Microbatch => format!("; {}_DEDUPLICATED has each once", report.name),
                _ => String::new(),
            };
            let rows = if report.rows == report.documents as u64 {
                String::new()
            } else {
                format!(" in {} rows{view}", report.rows)
            };
            row(&report.name, format!("{}{rows}", documents(report.documents)));
        }
        let DeadLettersReport { poison, refused_by_the_warehouse: refused, sent_again_since: again } =
            self.dead_letters;
        let kinds = [(poison, "poison"), (refused, "refused by the warehouse"), (again, "sent again since")];
        let kinds: Vec<_> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}")).collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
        row("dead letters", format!("{}{kinds}", documents(poison + refused + again)));
        table
    }

    /// What a store lacks, and what mends it.
    fn missing(&self, store: Store, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(StoreReport { name, missing, missing_but_landed: n_landed, .. }) = self.store(store) else {
            return Ok(());
        };
        if missing.documents == 0 {
            return Ok(());
        }
        let the = if store == Store::Landing { "the " } else { "" };
        writeln!(f, "\nMISSING in {the}{name}: {}{}", documents(missing.documents), self.whereabouts(store))?;
        list(f, &missing.positions, missing.documents)?;
        match store {
            Store::Landing => {
                writeln!(f, "An object was deleted; or the orchestrator runs with LANDING=off: then --without landing")
            }
            Store::Streaming if *n_landed > 0 => {
                writeln!(f, "try: {}", self.names.replay_landing)
            }
            Store::Microbatch if *n_landed > 0 => {
                writeln!(f, "try: {};", self.names.refresh_pipe)?;
                writeln!(
                    f,
                    "     It takes objects of the last seven days, and none that the pipe has loaded, if only in part."
                )
            }
            _ => {
                writeln!(f, "What did not land has to come from the stream again, or from the on-failure destination.")
            }
        }?;
        if store == Store::Microbatch && !self.load_errors.is_empty() {
            writeln!(f, "Snowpipe could not load:")?;
            list(f, &self.load_errors, self.load_errors.len())?;
        }
        Ok(())
    }

    /// Whether what a table lacks is in the landing zone, as far as that was looked at.
    fn whereabouts(&self, store: Store) -> String {
        match self.store(store) {
            Some(report) if store != Store::Landing && self.landing.is_some() => {
                match (report.missing_but_landed, report.missing.documents) {
                    (0, _) => ", not in the landing zone either".to_owned(),
                    (landed, all) if landed == all => format!(" that landed{}", since(report)),
                    (landed, _) => format!(", of which {landed} landed{}", since(report)),
                }
            }
            _ => String::new(),
        }
    }
}

fn since(report: &StoreReport) -> String {
    report.missing_but_landed_since.as_ref().map(|at| format!("; the first arrived at {at}")).unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.table().trim_fmt())?;
        for store in Store::ALL {
            self.missing(store, f)?;
        }
        if self.doubled.documents > 0 {
            let name = self.names.of(Store::Streaming);
            writeln!(f, "\nDOUBLED in {name}: {}", documents(self.doubled.documents))?;
            list(f, &self.doubled.positions, self.doubled.documents)?;
            writeln!(
                f,
                "Nothing of Landfall's inserts a position twice: look who else writes to it. {name}_DEDUPLICATED has each once."
            )?;
        }
        if !self.unreadable.is_empty() {
            writeln!(f, "\nUNREADABLE: {} objects", self.unreadable.len())?;
            list(f, &self.unreadable, self.unreadable.len())?;
        }
        for note in &self.notes {
            writeln!(f, "\nnote: {note}")?;
        }
        if self.agrees {
            writeln!(f, "\nEvery document is where it has to be: compared by position.")?;
        }
        let n_waiting = self.dead_letters.poison + self.dead_letters.refused_by_the_warehouse;
        if n_waiting > 0 {
            let replay = &self.names.replay_dead_letters;
            writeln!(f, "\nTo send the dead letters again, once what they say is mended:\n  {replay}")?;
        }
        Ok(())
    }
}

/// The first of many, one a line.
fn list(f: &mut fmt::Formatter<'_>, lines: &[String], n_lines: usize) -> fmt::Result {
    for line in lines.iter().take(N_SHOWN) {
        writeln!(f, "  {line}")?;
    }
    if n_lines > N_SHOWN {
        writeln!(f, "  and {} more", n_lines - N_SHOWN)?;
    }
    Ok(())
}

fn documents(n: usize) -> String {
    format!("{n} document{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands that send rows and letters again.
    fn commands(owner: Owner<'_>, pipeline_file: Option<&str>) -> [String; 2] {
        let pipeline = Pipeline::from_toml(include_str!("../../../../pipeline.toml")).unwrap();
        let place = |name: &str| Place::local(&name.parse().unwrap(), "http://127.0.0.1:9");
        let places = (&place("s3://acme/csv/"), &place("s3://acme/dead letters/"));
        let window = Window { since: landfall_core::ArrivedAt::from_text("2026-11-20 14:00:00"), until: None };
        let names = Names::new(&pipeline, places, window, (owner, pipeline_file.map(Path::new)));
        [names.replay_landing, names.replay_dead_letters]
            .map(|command| command.split_once(" replay ").unwrap().1.to_owned())
    }

    #[test]
    fn what_mends_it_names_the_pipeline_that_was_given_and_no_function_that_is_not_known() {
        assert_eq!(
            commands(Owner::Account, Some("my pipelines/a.toml")),
            [
                "--landing s3://acme/csv/ --since 2026-11-20T14:00:00.000Z --pipeline 'my pipelines/a.toml' \
                 --function-name <your upsert function>",
                "--dead-letters 's3://acme/dead letters/' --since 2026-11-20T14:00:00.000Z --pipeline 'my pipelines/a.toml' \
                 --function-name <your orchestrator function>",
            ]
        );
        let [landing, _] = commands(Owner::Stack(Path::new("a stack")), None);
        assert_eq!(landing, "--landing s3://acme/csv/ --since 2026-11-20T14:00:00.000Z --dir 'a stack'");
    }
}
