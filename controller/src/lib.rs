//! The bulletin board, and the officers' command line.
