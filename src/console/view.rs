//! What the operator is looking at: screens, cursors, filters, marks and questions. Never what happened.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use tui_input::Input;

use super::figures;
use super::host_index::HostIndex;
use super::keymap::Place;
use super::text_window::TextWindow;
use crate::again::Again;
use crate::engine::{MovedTag, Scope};
use crate::names::{BuildId, DeploymentId, Millis, Token};
use crate::plan::Plan;
use crate::plan::check::{Check, CheckState};
use crate::problem::Problem;
use crate::state::{Counts, RetrySet, State};
use crate::text::Clean;

/// How often a figure that counts seconds changes.
const SECOND: Duration = Duration::from_secs(1);

/// Everything that the screen depends on beside the state and the progress.
#[derive(Debug, Clone)]
pub struct View {
    /// How it was asked to look.
    pub look: Look,
    /// What the console can do with the deployment.
    pub role: Role,
    /// What preflight said so far.
    pub preflight: Preflight,
    /// What can be taken up instead of starting anew.
    pub unfinished: Option<Unfinished>,
    /// The screens from the first to the one that is shown; never empty.
    screens: Vec<Screen>,
    /// The lane and the item in it that keys go to.
    pub focus: Focus,
    /// The first line of the plan or of a zoomed lane, where the operator scrolled; `None` follows the cursor.
    pub scroll: Option<usize>,
    /// Whether every check has a line of its own; `None` decides by the room.
    pub unfold: Option<bool>,
    /// The host list.
    pub hosts: HostList,
    /// Marked hosts.
    pub marks: BTreeSet<HostAt>,
    /// The text that is open: a host's output or a build's log.
    pub window: TextWindow,
    /// Which attempt of the open host is shown; `None` is the latest.
    pub attempt: Option<usize>,
    /// The host and the attempt whose output was asked for last.
    pub asked: Option<(HostAt, usize)>,
    /// A question that waits for its answer.
    pub dialog: Option<Dialog>,
    /// Whether the help is open, and its first line.
    pub help: Option<usize>,
    /// The last thing that the operator has to be told.
    pub notice: Option<Notice>,
    /// Whether the mouse belongs to the console.
    pub mouse: bool,
    /// Times of day instead of how long ago.
    pub clock_times: bool,
    /// What was measured when the last frame was drawn.
    pub painted: Painted,
}

/// What the console can do with the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It asks an engine.
    Drives,
    /// It takes a deployment up, and who drives is not known yet.
    Hears,
    /// Another process drives; facts arrive, and nothing can be asked.
    Watches,
    /// The process that drove it is gone: nobody follows the fleet until somebody takes over.
    Orphaned,
    /// Nothing arrives and nothing can be asked: what the journal has is looked at.
    Reviews,
}

/// How the console was asked to look.
#[derive(Debug, Clone)]
pub struct Look {
    /// Nothing but ASCII on the screen.
    pub ascii: bool,
    /// Colours; without them text and modifiers are the same.
    pub colour: bool,
    /// REHEARSAL, also before there is a plan.
    pub rehearsal: bool,
    /// The fleet ends with this process, so that there is nothing to come back to.
    pub passing: bool,
    /// How the commands are typed that come next.
    pub again: Again,
    /// The application, before there is a plan.
    pub app: Clean,
    /// The environment, before there is a plan.
    pub environment: Clean,
    /// The operator's time zone.
    pub zone: TimeZone,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            ascii: false,
            colour: true,
            rehearsal: false,
            passing: false,
            again: Again::default(),
            app: Clean::default(),
            environment: Clean::default(),
            zone: TimeZone::UTC,
        }
    }
}

/// The latest deployment of the same application and environment, where it is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its id.
    pub id: DeploymentId,
    /// When it was started.
    pub started_at: Millis,
    /// How its hosts stood when it was last heard of.
    pub counts: Counts,
    /// Whether another process drives it now, so that it can only be watched.
    pub driven: bool,
}

/// What preflight said so far.
#[derive(Debug, Clone, Default)]
pub struct Preflight {
    /// Its checks.
    pub checks: Vec<Check>,
    /// What can be done.
    pub readiness: Readiness,
}

/// What can be done with the plan.
#[derive(Debug, Clone, Default)]
pub enum Readiness {
    /// Checks are pending.
    #[default]
    Checking,
    /// It can start.
    Ready(Box<Plan>),
    /// It cannot start.
    Blocked(Vec<Problem>),
    /// The operator started it, and the first fact is awaited.
    Starting(Box<Plan>),
}

impl Preflight {
    /// Whether a check is pending.
    pub fn is_pending(&self) -> bool {
        matches!(self.readiness, Readiness::Checking | Readiness::Starting(_))
            || self.checks.iter().any(|check| check.state == CheckState::Pending)
    }
}

/// What fills the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Screen {
    /// The plan with its checks.
    Plan,
    /// All lanes.
    Lanes,
    /// The focused lane.
    Lane,
    /// A host list.
    Hosts,
    /// A host's page.
    Host(HostAt),
    /// A build's log.
    Log(BuildId),
}

/// The lane and the item in it that keys go to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Focus {
    /// The lane's position in the state.
    pub lane: usize,
    /// The item's position in the lane's items.
    pub item: usize,
}

/// A thing in a lane's panel that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item {
    /// The build that the lane waits for.
    Build,
    /// Its push.
    Push,
    /// One of its rollouts, by position.
    Rollout(usize),
}

/// A host's position in the state: lane, rollout, host. Stable, as the fold only ever appends hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostAt {
    /// The lane's position.
    pub lane: usize,
    /// The rollout's position in the lane.
    pub rollout: usize,
    /// The host's position in the rollout.
    pub host: usize,
}

/// Which hosts a list is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ListScope {
    /// All.
    #[default]
    All,
    /// One lane's.
    Lane(usize),
    /// One rollout's: lane and rollout.
    Rollout(usize, usize),
}

/// The host list.
#[derive(Debug, Clone, Default)]
pub struct HostList {
    /// Which hosts.
    pub scope: ListScope,
    /// The filter's words.
    pub filter: Input,
    /// Whether the filter is being typed.
    pub typing: bool,
    /// Only hosts that did not succeed.
    pub trouble: bool,
    /// By state, trouble first, instead of the plan's order.
    pub by_state: bool,
    /// The row under the cursor.
    pub cursor: usize,
    /// The first row that is shown.
    pub offset: usize,
    /// Where the last mark was set.
    pub anchor: Option<usize>,
    /// The rows, kept until the state or the filter changes.
    pub index: HostIndex,
}

/// A question that waits for its answer.
#[derive(Debug, Clone)]
pub enum Dialog {
    /// Type the environment's name to start.
    TypeName(Input),
    /// Send again to these hosts?
    Retry {
        /// The hosts that the operator meant.
        asked: RetrySet,
        /// The hosts as the engine's answer has them.
        set: RetrySet,
        /// The moving tags that point elsewhere, once the engine looked.
        moved: Option<Vec<MovedTag>>,
    },
    /// What to cancel?
    Cancel {
        /// The answers that stop something.
        scopes: Vec<Scope>,
        /// The answer under the cursor: 0 cancels nothing, and the scopes come below it.
        at: usize,
    },
    /// Quit while something is under way?
    Quit,
    /// Ctrl-C: leave, cancel or stay?
    Interrupt {
        /// The answer under the cursor.
        at: usize,
    },
    /// Did an unknown send never take place?
    Abandon(Token),
    /// Drive what nobody drives any more?
    TakeOver,
}

/// The answers to ctrl-c.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// Go, and let the fleet go on.
    Leave,
    /// Stop everything.
    Cancel,
    /// Nothing.
    Stay,
}

impl Interruption {
    /// In the order of the menu; the harmless one is last and the cursor starts on it.
    pub const ALL: [Self; 3] = [Self::Leave, Self::Cancel, Self::Stay];
}

/// Something that the operator has to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The words.
    pub text: Clean,
    /// What to do; may be empty.
    pub remedy: Clean,
    /// Whether something went wrong.
    pub bad: bool,
}

impl Notice {
    /// A word in passing.
    pub fn say(text: impl AsRef<str>) -> Self {
        Self {
            text: Clean::line(text.as_ref()),
            remedy: Clean::default(),
            bad: false,
        }
    }
}

impl From<Problem> for Notice {
    fn from(problem: Problem) -> Self {
        Self {
            text: problem.what,
            remedy: problem.remedy,
            bad: true,
        }
    }
}

/// What drawing a frame found out: how much fits, and what can be clicked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Painted {
    /// Rows of the list or text that fit.
    pub page: usize,
    /// Columns that a text has.
    pub columns: usize,
    /// Rows that there are.
    pub rows: usize,
    /// The first row that was shown.
    pub offset: usize,
    /// Where a click means what.
    pub clicks: Vec<(ratatui::layout::Rect, Click)>,
}

/// What a click means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Click {
    /// An item of a lane.
    Item(Focus),
    /// A lane's panel where there is no item.
    Lane(usize),
    /// A row of the host list.
    Row(usize),
}

impl View {
    /// The view at the start: the plan.
    pub fn new(look: Look) -> Self {
        Self {
            look,
            role: Role::Drives,
            preflight: Preflight::default(),
            unfinished: None,
            screens: vec![Screen::Plan],
            focus: Focus::default(),
            scroll: None,
            unfold: None,
            hosts: HostList::default(),
            marks: BTreeSet::new(),
            window: TextWindow::default(),
            attempt: None,
            asked: None,
            dialog: None,
            help: None,
            notice: None,
            mouse: false,
            clock_times: false,
            painted: Painted::default(),
        }
    }

    /// The view of a deployment that exists, so that there is no plan to start.
    pub fn of(look: Look, state: &State, role: Role) -> Self {
        let mut view = Self {
            role,
            screens: vec![Screen::Lanes],
            ..Self::new(look)
        };
        view.follow(state);
        view
    }

    /// Whether an engine can be asked for something.
    pub fn drives(&self) -> bool {
        self.role == Role::Drives
    }

    /// What fills the screen.
    pub fn screen(&self) -> &Screen {
        self.screens.last().unwrap_or(&Screen::Lanes)
    }

    /// Opens a screen on top.
    pub fn open(&mut self, screen: Screen) {
        self.scroll = None;
        self.screens.push(screen);
    }

    /// Closes the screen on top, except the last one; whether there was one to close.
    pub fn back(&mut self) -> bool {
        if self.screens.len() < 2 {
            return false;
        }
        self.scroll = None;
        self.screens.pop();
        true
    }

    /// Where keys go.
    pub fn place(&self) -> Place {
        if let Some(dialog) = &self.dialog {
            return match dialog {
                Dialog::TypeName(_) => Place::Text,
                Dialog::Retry { .. } | Dialog::Quit | Dialog::Abandon(_) | Dialog::TakeOver => Place::Confirm,
                Dialog::Cancel { .. } | Dialog::Interrupt { .. } => Place::Choose,
            };
        }
        if self.help.is_some() {
            return Place::Help;
        }
        if self.is_typing() {
            return Place::Text;
        }
        match self.screen() {
            Screen::Plan => Place::Plan,
            Screen::Lanes => Place::Lanes,
            Screen::Lane => Place::Lane,
            Screen::Hosts => Place::Hosts,
            Screen::Host(_) => Place::Host,
            Screen::Log(_) => Place::Log,
        }
    }

    /// Whether a filter or a search is being typed.
    pub fn is_typing(&self) -> bool {
        match self.screen() {
            Screen::Hosts => self.hosts.typing,
            Screen::Host(_) | Screen::Log(_) => self.window.typing,
            Screen::Plan | Screen::Lanes | Screen::Lane => false,
        }
    }

    /// Brings what is kept up to date with the state; costs what changed.
    pub fn follow(&mut self, state: &State) {
        if state.plan.is_some() && self.screens.first() == Some(&Screen::Plan) {
            self.screens = vec![Screen::Lanes];
            self.scroll = None;
            self.dialog = None;
        }
        if matches!(self.screen(), Screen::Hosts | Screen::Host(_)) {
            self.hosts.refresh(state);
        }
        self.focus.lane = self.focus.lane.min(state.lanes.len().saturating_sub(1));
        if let Some(lane) = state.lanes.get(self.focus.lane) {
            self.focus.item = self.focus.item.min(items(lane).len().saturating_sub(1));
        }
    }

    /// Takes in what drawing found out.
    pub fn absorb(&mut self, painted: Painted) {
        match self.screen() {
            Screen::Hosts => self.hosts.offset = painted.offset,
            Screen::Host(_) | Screen::Log(_) => self.window.offset = painted.offset,
            Screen::Plan | Screen::Lanes | Screen::Lane => {}
        }
        self.painted = painted;
    }

    /// The plan, as soon as there is one.
    pub fn plan<'a>(&'a self, state: &'a State) -> Option<&'a Plan> {
        match &self.preflight.readiness {
            _ if state.plan.is_some() => state.plan.as_deref(),
            Readiness::Ready(plan) | Readiness::Starting(plan) => Some(plan),
            Readiness::Checking | Readiness::Blocked(_) => None,
        }
    }

    /// Whether leaving now leaves something behind that goes on or stops half way.
    pub fn is_under_way(&self, state: &State) -> bool {
        self.drives()
            && if state.plan.is_some() {
                state.settled.is_none()
            } else {
                matches!(self.preflight.readiness, Readiness::Starting(_))
            }
    }

    /// Whether somebody follows the deployment, so that what the screen says of it is from now.
    pub fn is_followed(&self, state: &State) -> bool {
        match self.role {
            Role::Drives | Role::Hears | Role::Watches => state.left.is_none(),
            Role::Orphaned | Role::Reviews => false,
        }
    }

    /// Whether REHEARSAL has to stand on the screen.
    pub fn is_rehearsal(&self, state: &State) -> bool {
        self.look.rehearsal || self.plan(state).is_some_and(|plan| plan.rehearsal)
    }

    /// Whether a figure on the screen changes by itself, and how often: the time between two frames.
    pub fn tick(&self, state: &State) -> Option<Duration> {
        let spin = Duration::from_millis(super::theme::SPINNER_MILLIS.unsigned_abs());
        if !self.is_followed(state) || state.settled.is_some() {
            return None;
        }
        if state.plan.is_none() {
            return (self.drives() && self.preflight.is_pending()).then_some(spin);
        }
        Some(if figures::spins(state) { spin } else { SECOND })
    }
}

/// The items of a lane's panel, top to bottom.
pub fn items(lane: &crate::state::LaneState) -> Vec<Item> {
    lane.build
        .iter()
        .map(|_| Item::Build)
        .chain([Item::Push])
        .chain((0..lane.rollouts.len()).map(Item::Rollout))
        .collect()
}
