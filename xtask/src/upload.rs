//! The crates of a release on their way into the registry: what the index and the registry say of each, and one call of
//! cargo for those that can go. It waits for nothing, and decides nothing about going on: that is for `publish`.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use xshell::Shell;

use crate::answer::{self, Answer};
use crate::registry::Registry;
use crate::workspace::{Crate, Workspace};
use crate::{Result, outward, say};

pub struct Uploads<'a> {
    pub registry: &'a Registry,
    pub workspace: &'a Workspace,
    pub items: Vec<Item<'a>>,
}

/// A crate that is to be in the registry.
pub struct Item<'a> {
    pub member: &'a Crate,
    pub state: State,
    /// Whether the registry had never seen it.
    pub new: bool,
    /// Whether the version is the only one of the crate.
    pub first: bool,
}

#[derive(PartialEq)]
pub enum State {
    /// In the index before we began.
    There,
    Missing,
    /// The registry has it, but its index does not show it yet.
    Uploaded,
    Published,
    /// The registry said no to this crate, and why.
    Refused(String),
}

/// How a call of cargo ended.
pub enum End {
    /// Whatever is left can go at once.
    Well,
    /// It failed before anything was sent.
    Unsent(String),
    /// An upload failed in a way that may pass.
    Trouble(String),
    /// The registry asks to wait until then.
    Limit(OffsetDateTime, String),
    /// Nothing that can be done here helps.
    Stop(String),
}

impl Item<'_> {
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Missing | State::Uploaded)
    }

    /// Whether everybody can have it.
    pub fn is_there(&self) -> bool {
        matches!(self.state, State::There | State::Published)
    }

    fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused(_))
    }

    pub fn name(&self) -> &str {
        &self.member.name
    }
}

impl<'a> Uploads<'a> {
    /// The crates of a workspace that a registry is to have, with what it has.
    pub fn of(registry: &'a Registry, workspace: &'a Workspace) -> Result<Uploads<'a>> {
        let item = |member| Item { member, state: State::Missing, new: false, first: false };
        let items = registry.members(workspace).map(item).collect();
        let mut uploads = Uploads { registry, workspace, items };
        uploads.look()?;
        for item in uploads.items.iter_mut().filter(|item| item.is_there()) {
            item.state = State::There;
        }
        Ok(uploads)
    }

    /// Asks the index for what was not in it yet.
    pub fn look(&mut self) -> Result<()> {
        let mut open: Vec<&mut Item> = self.items.iter_mut().filter(|item| item.is_open()).collect();
        let names: Vec<&str> = open.iter().map(|item| item.member.name.as_str()).collect();
        for (item, versions) in open.iter_mut().zip(self.registry.versions(&names)?) {
            item.new = versions.is_empty();
            if versions.contains_key(&item.member.version) {
                item.first = versions.len() == 1;
                item.state = State::Published;
            } else if let Some(twin) = versions.keys().find(|other| other.cmp_precedence(&item.member.version).is_eq())
            {
                let name = &self.registry.name;
                item.state = State::Refused(format!("{name} has {twin}, which is the same version"));
            }
        }
        Ok(())
    }

    /// How many crates are missing, and how many are uploaded and not in the index: whatever goes forward changes these.
    pub fn open(&self) -> (usize, usize) {
        let count = |state| self.items.iter().filter(|item| item.state == state).count();
        (count(State::Missing), count(State::Uploaded))
    }

    /// Whether the index does not show all that was uploaded.
    pub fn lags(&self) -> bool {
        self.open().1 > 0
    }

    /// The missing crates that need none that was refused, without those that cargo cannot package yet.
    pub fn ready(&self) -> Vec<String> {
        let blocked = self.blocked();
        let open: Vec<&Crate> = self.items.iter().filter(|item| item.is_open()).map(|item| item.member).collect();
        let waiting = self.workspace.waiting(&open);
        let free = self.items.iter().filter(|item| item.state == State::Missing && !blocked.contains_key(item.name()));
        let (later, now): (Vec<&Item>, Vec<&Item>) = free.partition(|item| waiting.contains_key(item.name()));
        // Those in a circle cannot go in any order: cargo will say so.
        let now = if now.is_empty() { later } else { now };
        // With the version: cargo reads the tree again each time.
        now.into_iter().map(|item| format!("{}@{}", item.name(), item.member.version)).collect()
    }

    /// The crates that need one that was refused, with its name.
    pub fn blocked(&self) -> BTreeMap<&'a str, &'a str> {
        let refused = |name: &str| self.items.iter().any(|item| item.name() == name && item.is_refused());
        let crates = &self.workspace.crates;
        let mut blocked = BTreeMap::new();
        loop {
            let known = blocked.len();
            for member in crates.iter().filter(|member| !refused(&member.name)) {
                let mut needs = member.needs.iter().map(|need| crates[*need].name.as_str());
                let cause = needs.find_map(|need| if refused(need) { Some(need) } else { blocked.get(need).copied() });
                cause.map(|cause| blocked.insert(member.name.as_str(), cause));
            }
            if blocked.len() == known {
                return blocked;
            }
        }
    }

    /// Has cargo publish these crates, as many as go, and notes what the registry took and what it refused.
    pub fn send(&mut self, sh: &Shell, names: &[String]) -> Result<End> {
        let items = &mut self.items;
        let mut sending = None;
        let mut error = String::new();
        let all = items.len();
        let well = outward::publish(sh, &self.registry.name, names, &mut |line| {
            let mut words = line.split_whitespace();
            let (what, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let at = items.iter().position(|item| item.name() == name);
            match (what, at) {
                ("Uploading", Some(at)) => sending = Some(at),
                ("Uploaded", Some(at)) => {
                    items[at].state = State::Uploaded;
                    sending = None;
                    let done = items.iter().filter(|item| item.is_there() || item.state == State::Uploaded).count();
                    say(format_args!("[{done}/{all}] {name} {}", items[at].member.version));
                }
                // The registry's own warnings come as they are.
                _ if !error.is_empty() || line.starts_with("error: ") => error += &format!("{line}\n"),
                _ => {}
            }
        })?;
        if well {
            return Ok(End::Well);
        }
        let (answer, why) = answer::read(&error, OffsetDateTime::now_utc());
        // One that cargo found there before it sent anything is named in the error.
        let named = |item: &Item| error.starts_with(&format!("error: crate {}@", item.name()));
        let at = sending.or_else(|| items.iter().position(named));
        let taken = items.iter().any(|item| matches!(item.state, State::Uploaded | State::Published));
        let Some(at) = at else {
            return Ok(if answer == Answer::BadToken { End::Stop(why) } else { End::Unsent(why) });
        };
        let name = items[at].name().to_string();
        Ok(match answer {
            Answer::Taken => {
                items[at].state = State::Uploaded;
                End::Well
            }
            Answer::Later(until) => End::Limit(until, format!("`{name}`: {why}")),
            Answer::NotToday => End::Stop(format!("`{name}`: {why}: waiting does not help today")),
            Answer::BadToken if taken => End::Stop(format!(
                "the token has expired (one of trusted publishing lives 30 minutes): start the job again, it goes on: {why}"
            )),
            Answer::BadToken => End::Stop(format!("the registry does not take the token: {why}")),
            Answer::Never => {
                let hint = "; a crate that was never published may need an owner to do it once, by hand";
                let why = format!("{why}{}", if items[at].new && why.starts_with("status 403") { hint } else { "" });
                say(format_args!("refused: `{name}`: {why}"));
                items[at].state = State::Refused(why.clone());
                // What trusted publishing may not do for one, it may not do for the others.
                let alike = |item: &&mut Item| item.new && item.is_open() && why.contains("creating new crates");
                items.iter_mut().filter(alike).for_each(|item| item.state = State::Refused(why.clone()));
                let known = |item: &&Item| !item.new && item.is_refused();
                // One crate may have its own reason; the third without any that was taken is the token's.
                if items.iter().filter(known).count() > 2 && !taken {
                    End::Stop(format!("the registry takes none: {why}"))
                } else {
                    End::Well
                }
            }
            Answer::Trouble => End::Trouble(format!("`{name}`: {why}")),
        })
    }
}
