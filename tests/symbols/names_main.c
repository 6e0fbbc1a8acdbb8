/* SPDX-License-Identifier: MIT */
/* Calls names.cc from C: the demangler is there only when libstdc++ is. */
void names(const char *tag);

int main(void)
{
    names("names");
    return 0;
}
