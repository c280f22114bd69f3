//! A simulation as one page: the picture, the tiers and every point; it needs nothing from elsewhere and runs nothing.

use super::canvas::escaped;
use super::outcome::Outcome;
use super::{picture, table};

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,'Segoe UI',sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;\
background:#fff;color:#1c2733}figure{margin:1.5rem 0;overflow-x:auto}table{border-collapse:collapse;margin:1rem 0}\
th,td{text-align:left;padding:.2rem 1.2rem .2rem 0;border-bottom:1px solid #e6ebf0;font-variant-numeric:tabular-nums}\
@media(prefers-color-scheme:dark){body{background:#0f1720;color:#e6edf3}th,td{border-color:#26313c}}";

/// An HTML document.
pub(super) fn of(outcome: &Outcome) -> String {
    let name = escaped(&outcome.policy.name);
    let mut told = table::summary(outcome).into_iter();
    let heading = escaped(&told.next().unwrap_or_default());
    let sentences: String = told
        .map(|sentence| format!("<p>{}</p>\n", escaped(&sentence)))
        .collect();
    let tiers = rows(
        "What keeps them",
        &["Tier", "Keeps", "Points", "Oldest", "Newest"],
        &table::rows(outcome),
    );
    let points = rows(
        "Every recovery point",
        &["Recovery point", "Kind", "Goes", "Kept by"],
        &table::points(outcome),
    );
    let picture = picture::of(outcome);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{heading}</h1>\n{sentences}<figure>\n{picture}</figure>\n{tiers}{points}</body>\n</html>\n"
    )
}

fn rows(caption: &str, heading: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let heading: String = heading
        .iter()
        .map(|cell| format!("<th scope=\"col\">{cell}</th>"))
        .collect();
    let mut text =
        format!("<h2>{caption}</h2>\n<table>\n<thead><tr>{heading}</tr></thead>\n<tbody>\n");
    for row in rows {
        let cells: String = row
            .iter()
            .map(|cell| format!("<td>{}</td>", escaped(cell)))
            .collect();
        text.push_str(&format!("<tr>{cells}</tr>\n"));
    }
    text.push_str("</tbody>\n</table>\n");
    text
}
