//! Tool: typed expressions compiled to flat programs, and their evaluation. Knows no text and no operators.
