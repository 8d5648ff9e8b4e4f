//! A package as a page to read or print: one file, no script, nothing fetched, dark on light.

use std::fmt::Write as _;

use super::package::Package;
use super::rows::{COLUMNS, rows};
use crate::cli::markup::escape;

/// The page.
pub fn page(package: &Package) -> String {
    let title = package.title();
    let mut body = format!("<h1>{}</h1>\n", escape(&title));
    for line in package.front() {
        // Writing to a string cannot fail.
        writeln!(body, "<p class=\"front\">{}</p>", escape(&line)).ok();
    }
    for object in package.shown() {
        writeln!(body, "<h2>{}</h2>", escape(object.reference.as_str())).ok();
        for row in rows(object) {
            body += "<table>\n";
            let filled = COLUMNS
                .iter()
                .zip(&row)
                .filter(|(_, cell)| !cell.is_empty());
            for (column, cell) in filled {
                let (column, cell) = (escape(column), escape(cell));
                writeln!(body, "<tr><th>{column}</th><td>{cell}</td></tr>").ok();
            }
            body += "</table>\n";
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\n\
         <style>body{{font:11pt/1.4 serif;max-width:48em;margin:2em auto;color:#111;background:#fff}}\
         .front{{border-left:3px solid #111;padding-left:.8em;margin:.3em 0}}table{{border-collapse:collapse;margin:.5em 0;page-break-inside:avoid}}\
         th,td{{border:1px solid #888;padding:.2em .5em;text-align:left;vertical-align:top}}</style></head>\n<body>\n{body}</body></html>\n",
        escape(&title)
    )
}
