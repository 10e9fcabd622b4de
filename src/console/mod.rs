//! The console: what an operator sees and presses, as a pure function of the state, the view and the terminal's size.
//!
//! [`draw`](draw::draw) makes a frame out of the facts' fold, the latest progress and the [`View`](view::View);
//! [`update::event`] makes a new view and [`Effect`](update::Effect)s out of a key. Neither touches a terminal.
//! [`run()`] and [`review`] do: they take the terminal, feed the two functions, and give the terminal back whatever happens.
//!
//! One file a visible thing: [`plan_page`], [`lanes`], [`host_list`], [`host_page`], [`build_log`], [`help`], [`dialog`],
//! [`header`], [`footer`], [`summary`], [`watch`]. Keys are in one table, [`keymap::BINDINGS`]; looks in another, [`theme`].

mod bar;
mod bindings;
mod build_log;
mod build_rows;
mod check_lines;
mod commands;
mod copy;
mod dialog;
pub mod draw;
mod enabled;
mod figures;
mod footer;
mod header;
mod help;
pub mod host_index;
mod host_list;
mod host_page;
mod key;
pub mod keymap;
mod lane_rows;
mod lanes;
mod motion;
mod mouse;
mod plan_page;
mod push_rows;
mod questions;
mod rollout_rows;
mod run;
mod summary;
mod terminal;
pub mod text_window;
pub mod theme;
pub mod update;
pub mod view;
mod watch;
mod words;

#[cfg(test)]
pub(crate) mod tests;

pub use run::{Ended, Ending, Options, review, run};
pub use view::Unfinished;
