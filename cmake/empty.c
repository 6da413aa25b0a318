/* Both programs live in their rooms; CMake wants one source of their own. */
typedef int orrery_empty;
