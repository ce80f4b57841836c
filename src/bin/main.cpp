#include <iostream>

int main() {
    std::cout << "sluice " << SLUICE_VERSION << '\n';
    return 0;
}
