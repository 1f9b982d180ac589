# Flags that every target of the project gets.
add_compile_options(
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast> -Wcast-qual -Wformat=2 -Wundef -Wnull-dereference -Wduplicated-cond -Wlogical-op -Werror)
# GCC 12 reports these inside its own standard library when it inlines std::expected and std::string.
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized> $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>
                    $<$<COMPILE_LANGUAGE:CXX>:-Wno-null-dereference>)
add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection=full
                    -ftrivial-auto-var-init=zero -ffunction-sections -fdata-sections)
add_compile_definitions($<$<COMPILE_LANGUAGE:CXX>:_GLIBCXX_ASSERTIONS> _GNU_SOURCE)
# -Os, not CMake's -O3: nothing here computes, and a smaller program has fewer pages to fault in at each start.
# No thread-safe statics: `list` alone has threads, and says what they need.
set(CMAKE_CXX_FLAGS_RELEASE "-Os -DNDEBUG -fno-threadsafe-statics")
set(CMAKE_C_FLAGS_RELEASE "-Os -DNDEBUG")
# Compiled as a whole when it is linked, the program is a tenth smaller.
set(CMAKE_INTERPROCEDURAL_OPTIMIZATION_RELEASE ON)
# _FORTIFY_SOURCE needs an optimising build.
add_compile_options($<$<CONFIG:Release>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=3>)
# Reproducible: no path of the build machine in the binary.
add_compile_options("-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.")

if(BERTH_SANITIZE)
  # -Wno-uninitialized: what the sanitizers insert makes GCC 12 see it inside fmt.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
                      -Wno-uninitialized)
  add_link_options(-fsanitize=address,undefined)
else()
  add_compile_options(-fPIE)
  # Packed relative relocations: a static-pie applies 4,000 of them at each start, and these take 1 KiB instead of 100.
  add_link_options(-static-pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,-z,pack-relative-relocs
                   -Wl,--gc-sections)
endif()
# The first two once more for what is compiled when it is linked, as they are not remembered.
add_link_options($<$<CONFIG:Release>:-ffunction-sections> $<$<CONFIG:Release>:-fdata-sections> $<$<CONFIG:Release>:-s>)
