//! SVG, as far as the pictures need it: text, marks and colours, for light and for dark, with nothing from elsewhere.
//!
//! Colours are never alone: a tier has its own row, and its own size in the calendar. Styles are plain classes, so that
//! what is no browser shows the light ones.

use std::fmt::Write;

use super::tiers::Keeper;

/// How wide every picture is.
pub(super) const WIDTH: f64 = 960.0;

/// A picture that grows.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    body: String,
}

/// A mark and what it says to who points at it.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) says: String,
}

/// More marks than this are drawn as one shape, without words: a picture stays something that can be sent around.
const MOST_WORDS: usize = 150;

const STYLE: &str = "\
text{font:13px system-ui,'Segoe UI',sans-serif;fill:#1c2733}\
.title{font-size:18px;font-weight:600}.soft{fill:#5d6b7a}.small{font-size:11px;fill:#5d6b7a}\
.paper{fill:#fff}.rail{fill:#e6ebf0}\
.yearly{fill:#8c2d04}.monthly{fill:#d9700b}.weekly{fill:#2171b5}.daily{fill:#79aede}.between{fill:#7d8c3f}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.soft,.small{fill:#9aa7b4}.paper{fill:#0f1720}.rail{fill:#26313c}\
.yearly{fill:#ff9466}.monthly{fill:#f2b736}.weekly{fill:#5aa9ff}.daily{fill:#4579ad}.between{fill:#a9ba62}}";

impl Canvas {
    /// A text that begins at a place.
    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        self.anchored(x, y, class, "start", text);
    }

    /// A text around a place.
    pub(super) fn centred(&mut self, x: f64, y: f64, class: &str, text: &str) {
        self.anchored(x, y, class, "middle", text);
    }

    fn anchored(&mut self, x: f64, y: f64, class: &str, anchor: &str, text: &str) {
        let class = attribute("class", class);
        let anchor = match anchor {
            "start" => String::new(),
            other => attribute("text-anchor", other),
        };
        self.line(&format!(
            "<text x=\"{}\" y=\"{}\"{class}{anchor}>{}</text>",
            short(x),
            short(y),
            escaped(text)
        ));
    }

    /// A mark without words.
    pub(super) fn block(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        self.line(&format!(
            "<rect{} x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            attribute("class", class),
            short(x),
            short(y),
            short(width),
            short(height)
        ));
    }

    /// Marks of one class: each with its words where they are few, as one shape where they are many.
    pub(super) fn marks(&mut self, class: &str, marks: &[Mark]) {
        if marks.is_empty() {
            return;
        }
        if marks.len() > MOST_WORDS {
            let shape: String = marks.iter().map(outline).collect();
            self.line(&format!(
                "<path{} d=\"{shape}\"/>",
                attribute("class", class)
            ));
            return;
        }
        self.line(&format!("<g{}>", attribute("class", class)));
        for mark in marks {
            self.line(&format!(
                "<path d=\"{}\"><title>{}</title></path>",
                outline(mark),
                escaped(&mark.says)
            ));
        }
        self.line("</g>");
    }

    /// A shape of one's own making, such as `M0 0h8v8h-8z`.
    pub(super) fn shape(&mut self, attributes: &str, d: &str) {
        self.line(&format!("<path {attributes} d=\"{d}\"/>"));
    }

    fn line(&mut self, text: &str) {
        self.body.push_str(text);
        self.body.push('\n');
    }

    /// The whole picture, with what it shows in words.
    pub(super) fn finished(self, height: f64, title: &str, words: &str) -> String {
        let (width, height) = (short(WIDTH), short(height));
        let mut svg = String::new();
        // Writing to a String fails never.
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\" aria-labelledby=\"title words\">"
        );
        let _ = writeln!(svg, "<title id=\"title\">{}</title>", escaped(title));
        let _ = writeln!(svg, "<desc id=\"words\">{}</desc>", escaped(words));
        let _ = writeln!(svg, "<style>{STYLE}</style>");
        let _ = writeln!(
            svg,
            "<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>"
        );
        svg.push_str(&self.body);
        svg.push_str("</svg>\n");
        svg
    }
}

/// The class of what keeps a point.
pub(super) fn class(keeper: Keeper) -> &'static str {
    match keeper {
        Keeper::Yearly => "yearly",
        Keeper::Monthly => "monthly",
        Keeper::Weekly => "weekly",
        Keeper::Daily => "daily",
        Keeper::Chain
        | Keeper::Newest
        | Keeper::Differential
        | Keeper::Incremental
        | Keeper::Log => "between",
    }
}

fn outline(mark: &Mark) -> String {
    let (width, height) = (short(mark.width), short(mark.height));
    format!(
        "M{} {}h{width}v{height}h-{width}z",
        short(mark.x),
        short(mark.y)
    )
}

fn attribute(name: &str, value: &str) -> String {
    match value {
        "" => String::new(),
        value => format!(" {name}=\"{value}\""),
    }
}

/// A length, to a tenth of a pixel.
pub(super) fn short(length: f64) -> String {
    let text = format!("{length:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A text between tags.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            letter => safe.push(letter),
        }
    }
    safe
}
