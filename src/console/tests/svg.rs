//! A frame as an SVG picture: text stays text, lines and bars are drawn, so that no font can tear them apart.
//!
//! The picture follows the reader's light or dark scheme, as the console follows the terminal's colours.

use std::collections::BTreeMap;
use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// A cell's size in the picture's units.
const CELL: (u16, u16) = (8, 18);
/// From the cell's top to the letters' foot.
const FOOT: u16 = 13;
/// Around the frame.
const MARGIN: u16 = 12;

/// Ink, paper, edge, green, red, cyan, magenta.
type Palette = [&'static str; 7];

const LIGHT: Palette = [
    "#24292f", "#ffffff", "#d0d7de", "#1a7f37", "#cf222e", "#0a6c8f", "#8250df",
];
const DARK: Palette = [
    "#d5dbe3", "#0d1117", "#30363d", "#3fb950", "#ff6a63", "#4cc3dd", "#c297ff",
];

const SHAPES: &str = "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}\
    path{fill:none}.d{opacity:.62}.b{font-weight:700}.u{text-decoration:underline}";

/// The rules for a palette. No variables: some renderers do not know them.
fn paint([ink, paper, edge, green, red, cyan, magenta]: Palette) -> String {
    let mut css = format!(".p{{fill:{paper};stroke:{edge}}}");
    for (class, colour) in [("n", ink), ("g", green), ("r", red), ("c", cyan), ("m", magenta)] {
        css.push_str(&format!(
            "text.{class},rect.{class}{{fill:{colour}}}path.{class}{{stroke:{colour}}}"
        ));
    }
    css + &format!("text.v{{fill:{paper}}}")
}

/// The picture of a frame.
pub fn picture(buffer: &Buffer, title: &str) -> String {
    let (width, height) = (buffer.area.width, buffer.area.height);
    let (w, h) = (width * CELL.0 + 2 * MARGIN, height * CELL.1 + 2 * MARGIN);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\">\n\
         <title>{}</title>\n<style>{SHAPES}{}@media(prefers-color-scheme:dark){{{}}}</style>\n\
         <rect class=\"p\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n",
        escape(title),
        paint(LIGHT),
        paint(DARK),
        w - 1,
        h - 1
    );
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    for y in 0..height {
        row(buffer, y, &mut out, &mut lines);
    }
    for (class, path) in lines {
        let _ = writeln!(out, "<path class=\"{class}\" d=\"{path}\"/>");
    }
    out.push_str("</svg>\n");
    out
}

/// Draws a row: what is reversed and what is a bar as rectangles, runs of one style as one text, lines into `lines`.
fn row(buffer: &Buffer, y: u16, out: &mut String, lines: &mut BTreeMap<String, String>) {
    let mut x = 0;
    while x < buffer.area.width {
        let cell = &buffer[(x, y)];
        let class = class(cell);
        let (left, top) = (MARGIN + x * CELL.0, MARGIN + y * CELL.1);
        if let Some((shade, inset)) = shade(cell.symbol()) {
            let from = x;
            while x < buffer.area.width
                && buffer[(x, y)].symbol() == cell.symbol()
                && self::class(&buffer[(x, y)]) == class
            {
                x += 1;
            }
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{left}\" y=\"{}\" width=\"{}\" height=\"{}\" fill-opacity=\"{shade}\"/>",
                top + inset,
                (x - from) * CELL.0,
                CELL.1 - 2 * inset
            );
            continue;
        }
        if let Some(arms) = arms(cell.symbol()) {
            let path = lines.entry(class).or_default();
            line(path, arms, left, top);
            x += 1;
            continue;
        }
        let from = x;
        let mut text = String::new();
        while x < buffer.area.width {
            let next = &buffer[(x, y)];
            let ends = shade(next.symbol()).is_some() || arms(next.symbol()).is_some() || self::class(next) != class;
            if ends {
                break;
            }
            text.push_str(next.symbol());
            x += u16::try_from(next.symbol().width().max(1)).unwrap_or(1);
        }
        run(out, &text, &class, (left, top), x - from);
    }
}

/// A run of letters of one style.
fn run(out: &mut String, text: &str, class: &str, (left, top): (u16, u16), columns: u16) {
    let reversed = class.split(' ').any(|part| part == "v");
    if reversed {
        let ground = class
            .split(' ')
            .find(|part| ["g", "r", "c", "m"].contains(part))
            .unwrap_or("n");
        let _ = writeln!(
            out,
            "<rect class=\"{ground}\" x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\"/>",
            columns * CELL.0,
            CELL.1
        );
    }
    let trimmed = text.trim_end();
    if trimmed.is_empty() {
        return;
    }
    // Each word stands at its own place: a font of another width cannot push the rest of the line.
    let mut at = 0;
    for word in trimmed.split(' ') {
        let width = u16::try_from(word.width()).unwrap_or(0);
        if width > 0 {
            let _ = writeln!(
                out,
                "<text class=\"{class}\" x=\"{}\" y=\"{}\" textLength=\"{}\">{}</text>",
                left + at * CELL.0,
                top + FOOT,
                width * CELL.0,
                escape(word)
            );
        }
        at += width + 1;
    }
}

/// The classes of a cell's style.
fn class(cell: &Cell) -> String {
    let mut class = vec![match cell.fg {
        Color::Green => "g",
        Color::Red => "r",
        Color::Cyan => "c",
        Color::Magenta => "m",
        Color::Reset => "n",
        other => panic!("the theme has no {other}"),
    }];
    for (modifier, name) in [
        (Modifier::BOLD, "b"),
        (Modifier::DIM, "d"),
        (Modifier::UNDERLINED, "u"),
        (Modifier::REVERSED, "v"),
    ] {
        if cell.modifier.contains(modifier) {
            class.push(name);
        }
    }
    class.join(" ")
}

/// How dark a bar's cell is, and how far it stays away from the row's edges.
fn shade(symbol: &str) -> Option<(&'static str, u16)> {
    match symbol {
        "█" => Some(("1", 4)),
        "▒" => Some((".5", 4)),
        "░" => Some((".2", 4)),
        _ => None,
    }
}

/// Which arms a line's character has — left, right, up, down — and whether it is thick or double.
type Arms = ([bool; 4], Weight);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Thin,
    Thick,
    Double,
}

fn arms(symbol: &str) -> Option<Arms> {
    use Weight::{Double, Thick, Thin};
    let (l, r, u, d) = (0, 1, 2, 3);
    let (on, weight): (&[usize], Weight) = match symbol {
        "─" => (&[l, r], Thin),
        "│" => (&[u, d], Thin),
        "┌" => (&[r, d], Thin),
        "┐" => (&[l, d], Thin),
        "└" => (&[r, u], Thin),
        "┘" => (&[l, u], Thin),
        "━" => (&[l, r], Thick),
        "┃" => (&[u, d], Thick),
        "┏" => (&[r, d], Thick),
        "┓" => (&[l, d], Thick),
        "┗" => (&[r, u], Thick),
        "┛" => (&[l, u], Thick),
        "═" => (&[l, r], Double),
        "║" => (&[u, d], Double),
        "╔" => (&[r, d], Double),
        "╗" => (&[l, d], Double),
        "╚" => (&[r, u], Double),
        "╝" => (&[l, u], Double),
        _ => return None,
    };
    let mut arms = [false; 4];
    for arm in on {
        arms[*arm] = true;
    }
    Some((arms, weight))
}

/// Adds a line character to a path. A thick or double line is drawn as two thin ones beside each other.
fn line(path: &mut String, ([left, right, up, down], weight): Arms, x: u16, y: u16) {
    let (mid_x, mid_y) = (f32::from(x) + 4.0, f32::from(y) + 9.0);
    let (x, y) = (f32::from(x), f32::from(y));
    let offsets: &[f32] = match weight {
        Weight::Thin => &[0.0],
        Weight::Thick => &[-0.4, 0.4],
        Weight::Double => &[-1.5, 1.5],
    };
    for offset in offsets {
        let (cx, cy) = (mid_x + offset, mid_y + offset);
        if left || right {
            let from = if left { x } else { cx };
            let to = if right { x + 8.0 } else { cx };
            let _ = write!(path, "M{from} {cy}H{to}");
        }
        if up || down {
            let from = if up { y } else { cy };
            let to = if down { y + 18.0 } else { cy };
            let _ = write!(path, "M{cx} {from}V{to}");
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn text_is_escaped_and_wide_characters_take_two_columns() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "a<b&日本 x", Style::new().fg(Color::Green));
        let svg = picture(&buffer, "a & b");
        assert!(svg.contains("<title>a &amp; b</title>"), "{svg}");
        assert!(svg.contains("textLength=\"64\">a&lt;b&amp;日本</text>"), "{svg}");
        assert!(svg.contains("x=\"84\" y=\"25\" textLength=\"8\">x</text>"), "{svg}");
    }
}
