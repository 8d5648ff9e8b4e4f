//! Pages to print: one file, no script, nothing fetched, dark on light, everything that somebody else wrote escaped.

pub use super::markup::escape;

/// What somebody wrote, in a span of its own direction: a name in Arabic within an English line stays whole, and turns
/// nothing around it.
pub fn named(text: &str) -> String {
    format!("<bdi>{}</bdi>", escape(text))
}

/// The whole page, for A4.
pub fn page(title: &str, body: &str, foot: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{0}</title>\n<style>{STYLE}</style></head>\n<body>\n{body}<footer>{1}</footer>\n</body></html>\n",
        escape(title),
        escape(foot)
    )
}

const STYLE: &str = "\
@page{size:A4;margin:16mm 14mm}\
body{font:10.5pt/1.4 \"Noto Sans\",\"DejaVu Sans\",\"Noto Naskh Arabic\",sans-serif;color:#111;background:#fff;max-width:182mm;margin:8mm auto;padding:0 4mm}\
h1{font-size:17pt;margin:0 0 2mm}h2{font-size:12.5pt;margin:7mm 0 2mm;border-bottom:1px solid #111;break-after:avoid}\
p{margin:1mm 0}.as-of{color:#333}\
table{border-collapse:collapse;width:100%;table-layout:auto}\
th,td{border:1px solid #888;padding:1mm 1.6mm;text-align:start;vertical-align:top;overflow-wrap:anywhere}\
th{background:#eee;font-weight:600;white-space:nowrap;overflow-wrap:normal}\
td.n,th.n{text-align:right;white-space:nowrap;overflow-wrap:normal}td.t{white-space:nowrap;overflow-wrap:normal}\
thead{display:table-header-group}tr{break-inside:avoid}\
blockquote{margin:1mm 0 3mm;padding:1mm 3mm;border-inline-start:3px solid #111;white-space:pre-wrap;overflow-wrap:anywhere}\
.loud{font-weight:700}.none{color:#333}bdi{unicode-bidi:isolate}\
footer{border-top:2px solid #111;margin-top:8mm;padding-top:2mm}\
@media print{body{margin:0;padding:0;max-width:none}th{background:#eee;-webkit-print-color-adjust:exact;print-color-adjust:exact}}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_wrote_is_text_and_never_markup() {
        let name = "</bdi><script>alert('x')</script>\"&";
        assert_eq!(
            named(name),
            "<bdi>&lt;/bdi&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;</bdi>"
        );
        let page = page("<t>", "<p>b</p>", "<f>");
        assert!(page.contains("<title>&lt;t&gt;</title>") && page.contains("&lt;f&gt;"));
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("src="));
    }
}
