/* Braces and blanks are not where clang-format puts them. */
int main(void) {
  return  0;
}
