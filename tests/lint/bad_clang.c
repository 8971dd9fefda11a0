/* gcc has nothing against this. */
int bad_clang(int x)
{
    x = x;
    return x;
}
