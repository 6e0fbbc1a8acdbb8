// SPDX-License-Identifier: MIT
// C++ names: overloads, a class in a namespace, a template, a lambda.
#include "probe.h"

namespace space
{
struct Thing {
    NOINLINE void method(const char *tag, int n) const
    {
        auto lambda = [&](int m) NOINLINE {
            probe_stack(tag); // @lambda
            STAY();
            return m;
        };
        lambda(n); // @method
        STAY();
    }
};

template <typename T> NOINLINE void generic(const char *tag, T n)
{
    Thing().method(tag, static_cast<int>(n)); // @generic
    STAY();
}
} // namespace space

extern "C" __attribute__((visibility("default"))) void names(const char *tag);

void names(const char *tag)
{
    space::generic<long>(tag, 3); // @names
    STAY();
}
