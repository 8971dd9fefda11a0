/* Cannot be included twice. */
struct bad_guard {
    int x;
};
