# What all of fastdl's libraries have in common.
include_guard()

# fastdl_library(target EXPORTS pattern DESTINATION folder)
#
# Warnings, sanitizers, what the library exports (as a version script says it), and its place below
# python/ (FASTDL_IN_PLACE) or in the wheel.
function(fastdl_library target)
  cmake_parse_arguments(arg "" "EXPORTS;DESTINATION" "" ${ARGN})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/csrc)

  # `Point{1}` leaves the other members to their defaults: a habit here, not a slip.
  set(warnings -Wall -Wextra -Wno-missing-field-initializers)
  if(FASTDL_WERROR)
    list(APPEND warnings -Werror)
  endif()
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${warnings}>)
  # One copy of a template's static for the whole process (GNU's unique symbols) would tie
  # together libraries that must not share code.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-gnu-unique>)
  endif()

  if(FASTDL_SANITIZE)
    # GCC's own checks confuse it about what is initialised.
    set(flags -fsanitize=${FASTDL_SANITIZE} -fno-omit-frame-pointer -g1 -Wno-maybe-uninitialized)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${flags};-O1>)
    target_link_options(${target} PRIVATE -fsanitize=${FASTDL_SANITIZE})
  endif()

  set(script ${CMAKE_BINARY_DIR}/${target}.map)
  file(CONFIGURE OUTPUT ${script} CONTENT "{ global: ${arg_EXPORTS}; local: *; };\n")
  set_target_properties(${target} PROPERTIES LINK_DEPENDS ${script})
  target_link_options(${target} PRIVATE
    LINKER:--version-script=${script} LINKER:--gc-sections LINKER:-O1)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-ffunction-sections;-fdata-sections>)

  if(FASTDL_IN_PLACE)
    set_target_properties(${target} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_SOURCE_DIR}/python/${arg_DESTINATION})
  else()
    install(TARGETS ${target} LIBRARY DESTINATION ${arg_DESTINATION})
  endif()
endfunction()
