/* Mutable globals of all sorts: in a function, static, exported. */
int exported;
static int initialised = 1;

int bad_global(void)
{
    static int counted;
    counted += initialised++;
    return counted;
}
