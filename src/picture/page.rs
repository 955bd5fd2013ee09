//! A page that shows pictures one after another.

use super::svg::escape;
use std::fmt::Write as _;

/// An HTML page for the pictures of some rules: of each the lineage, and its frames under a slider. Pictures are named by their
/// files beside the page; the notes say what isn't drawn.
pub fn page(rules: &[(String, Option<String>, Vec<String>)], notes: &[String]) -> String {
    let mut text = String::from(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Regions</title>\n\
         <style>body{font:15px system-ui,sans-serif;margin:1.5em;background:#fcfcfa;color:#222}\
         img{max-width:100%}input{width:min(100%,720px)}</style>\n<h1>Regions</h1>\n",
    );
    for note in notes {
        // Writing to a string can't fail.
        let _ = writeln!(text, "<p>{}</p>", escape(note));
    }
    for (name, lineage, frames) in rules {
        let _ = writeln!(text, "<section><h2>{}</h2>", escape(name));
        if let Some(file) = lineage {
            let _ = writeln!(text, "<p><img src=\"{0}\" alt=\"lineage\"></p>", escape(file));
        }
        if let Some(first) = frames.first() {
            let last = frames.len() - 1;
            let _ = writeln!(
                text,
                "<p><input type=\"range\" min=\"0\" max=\"{last}\" value=\"0\" aria-label=\"frame\" data-frames=\"{}\"></p>",
                escape(&frames.join("|"))
            );
            let _ = writeln!(text, "<p><img src=\"{}\" alt=\"the regions at one tick\"></p>", escape(first));
        }
        text.push_str("</section>\n");
    }
    text.push_str(
        "<script>document.querySelectorAll('input').forEach(i=>{const f=i.dataset.frames.split('|'),\
         p=i.closest('section').querySelector('p:last-of-type img');i.oninput=()=>{p.src=f[i.value]}})</script>\n</html>\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_pictures_and_escapes_names() {
        let rules = [(
            "a<b".to_owned(),
            Some("a-lineage.svg".to_owned()),
            vec!["a-000.svg".to_owned(), "a-001.svg".to_owned()],
        )];
        let text = page(&rules, &["3 ticks & more".to_owned()]);
        assert!(text.contains("<h2>a&lt;b</h2>") && text.contains("src=\"a-lineage.svg\""));
        assert!(text.contains("data-frames=\"a-000.svg|a-001.svg\"") && text.contains("max=\"1\""));
        assert!(text.contains("3 ticks &amp; more"));
    }
}
